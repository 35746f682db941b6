#!/usr/bin/env bash
# Installs what the host lacks, by apt; silent and without network when nothing is missing.
# deps.sh [bench]: with what the benchmarks compare us to
set -euo pipefail

packages=(
  gcc pkg-config libtss2-dev          # to build the agent
  qemu-system-x86 ovmf swtpm swtpm-tools  # to boot
  debian-archive-keyring              # to check the archive's signature
  sbsigntool efitools tpm2-tools cpio # peers that judge our output in tests
  time                                # to measure
  nftables                            # the kernel test of the firewall
  iproute2 iputils-ping curl knot-dnsutils  # users of the VM tests' tunnel
  nsd ldnsutils                       # name servers of the VM tests
  dnsdist                             # a DNSCrypt server, for tests of the resolver
  python3-minimal                     # a program of an operator, in tests of the launcher
  openssl                             # certificates of the VM tests' upstream
  strace                              # failing system calls, for tests of the log
  dosfstools mtools gdisk xorriso qemu-utils  # peers that judge exported media
  faketime disorderfs xfsprogs        # other conditions for the reproducibility matrix
)
[ "${1:-}" != bench ] || packages+=(unbound dnsperf binutils zstd mkosi debootstrap systemd-container mmdebstrap dpkg-dev nginx-light wrk nghttp2-client)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "missing: ${missing[*]}" >&2; echo "install them as root: apt-get install ${missing[*]}" >&2; exit 2; }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
# Tests and benchmarks start their own servers; Debian would start one on this machine's port 53 or 80
for package in nsd dnsdist unbound nginx; do
  if [ -d /run/systemd/system ] && [[ " ${missing[*]} " == *" $package "* ]]; then
    "${as_root[@]}" systemctl mask --quiet "$package.service" || true
  fi
done
"${as_root[@]}" apt-get update -q
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
