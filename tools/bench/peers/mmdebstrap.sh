#!/usr/bin/env bash
# mmdebstrap.sh STORE EXTRA OUT: the same system by mmdebstrap, packed by cpio and zstd, without a network. Root.
set -euo pipefail
store=$(realpath "$1") extra=$(realpath "$2") out=$(realpath -m "$3")
packages=systemd,systemd-sysv,dbus,udev,kmod,linux-image-cloud-amd64,wireguard-tools,nftables,unbound,dns-root-data,iproute2
# `sync-in` would follow the links: tar keeps them
unshare --net mmdebstrap --quiet --mode=root --variant=essential --include="$packages" \
  --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --customize-hook="tar -C '$extra' -c . | tar -C \"\$1\" -x --no-same-owner" \
  --format=tar trixie - "deb [trusted=yes] copy:$store/mirror trixie main" >"$out.tar"
tree=$(mktemp -d -p "$(dirname "$out")")
trap 'rm -rf "$tree" "$out.tar"' EXIT
tar -C "$tree" -xf "$out.tar" --exclude=./dev/*
cp "$tree"/boot/vmlinuz-* "$out.vmlinuz"
rm -rf "$tree"/boot/*
(cd "$tree" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible) | zstd -q -9 -T2 -f -o "$out"
