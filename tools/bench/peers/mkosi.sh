#!/usr/bin/env bash
# mkosi.sh STORE EXTRA OUT [mkosi's arguments…]: a Debian system as one initramfs, by Debian's mkosi, without a network.
# Root; mkosi starts systemd-nspawn, which wants /run on a tmpfs.
set -euo pipefail
store=$(realpath "$1") extra=$(realpath "$2") out=$(realpath -m "$3")
shift 3
packages=()
for package in linux-image-cloud-amd64 udev kmod wireguard-tools nftables unbound dns-root-data iproute2; do packages+=(--package "$package"); done
cd "$(dirname "$out")"
exec unshare --net --mount bash -c 'mount -t tmpfs tmpfs /run && exec "$@"' - \
  mkosi --default=/dev/null --distribution debian --release trixie --local-mirror "file:$store/mirror" --repository-key-check no \
  --format cpio --compress-output zstd --nspawn-keep-unit yes --extra-tree "$extra" "${packages[@]}" --output "$out" --force "$@" build
