#!/usr/bin/env bash
# plain.sh FOLDER NAMES
# Makes kernel and initramfs of the plain Debian server for `vitrine-qemu prove --plain FOLDER`. NAMES: zones of
# tools/test-zones.sh, whose root's key the plain server's unbound trusts. Its addresses are those of the proof's small
# Internet; /etc/plain.wg comes with the archive that the proof makes.
set -euo pipefail
out=$(realpath -m "$1") names=$(realpath "$2")
cd "$(dirname "$0")/../plain"
extra=$(mktemp -d)
trap 'rm -rf "$extra"' EXIT
mkdir "$extra/etc"
cat >"$extra/etc/plain.conf" <<END
outer="203.0.113.10/24 2001:db8:113:0:5054:ff:fe12:3456/64"
gateways="203.0.113.1 2001:db8:113::1"
inner="10.66.0.1/16 fd66::1/64"
END
cp unbound.conf "$extra/etc/"
printf '. 3600000 NS ns.root-servers.\nns.root-servers. 3600000 A 198.51.100.1\n' >"$extra/etc/root.hints"
printf '. IN DNSKEY %s\n' "$(cat "$names/anchor")" >"$extra/etc/root.key"
./build.sh resolver.toml "$extra" "$out"
