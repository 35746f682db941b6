#!/usr/bin/env bash
# Tunnel throughput and handshakes per second: our exit image beside a plain Debian 13 server of the same job (same
# kernel; wg, nft and ip from a shell script), one after the other under the same QEMU, with the same load.
# Then the time from the machine's start to tunnel and evidence, beside an image whose PID 1 does nothing.
# Called by `make bench`. Prints rows of its table.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${BENCH_SECONDS:-10} clients=200
work=$(mktemp -d)
guest=
stop() { [ -z "$guest" ] || { kill "$guest" 2>/dev/null || true; wait "$guest" 2>/dev/null || true; guest=; }; }
trap 'stop; rm -rf "$work"' EXIT
load() { "${CARGO_TARGET_DIR:-target}/release/examples/bench_tunnel" "$@"; }
row() { printf '| %-52s | %-28s |\n' "$1" "$2"; }
say() { echo "bench: $*" >&2; }

# ---- the plain server
say "a plain Debian guest"
cp tools/bench/plain.toml "$work/" && cp -r recipes/policy "$work/policy"
vitrine lock "$work/plain.toml" --out "$work/plain.lock.toml" -q
vitrine build "$work/plain.toml" --unsigned --lock "$work/plain.lock.toml" --out "$work/plain" -q 2>/dev/null >&2
objcopy -O binary --only-section=.linux "$work/plain/6-image.unsigned.efi" "$work/vmlinuz"
mkdir -p "$work/extra/etc"
install -m 0755 tools/bench/plain-init.sh "$work/extra/init"
cp tools/bench/plain.nft "$work/extra/etc/"
plain_secret=$(head -c 32 /dev/urandom | base64)
{ printf '[Interface]\nListenPort = 51820\nPrivateKey = %s\n' "$plain_secret"; load conf "$clients"; } >"$work/extra/etc/plain.wg"
(cd "$work/extra" && find . | sort | cpio -o -H newc --quiet) >"$work/extra.cpio"
cat "$work/plain/5-initramfs.cpio.zst" "$work/extra.cpio" >"$work/initrd"
port=$((20000 + RANDOM % 10000))
qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nographic -no-reboot -nodefaults -serial "file:$work/serial" \
  -kernel "$work/vmlinuz" -initrd "$work/initrd" -append "quiet console=ttyS0" \
  -netdev "user,id=n,net=203.0.113.0/24,hostfwd=udp:127.0.0.1:$port-203.0.113.15:51820" -device virtio-net-pci,netdev=n,romfile= &
guest=$!
for _ in $(seq 600); do
  grep -q ready "$work/serial" 2>/dev/null && break
  kill -0 "$guest" 2>/dev/null || { tail -n 20 "$work/serial" >&2; exit 1; }
  sleep 0.1
done
public=$(load public "$plain_secret")
load run "127.0.0.1:$port" "$public" "$clients" "$seconds" >"$work/plain.json"
stop

# ---- ours
say "the exit image"
vitrine keygen --out "$work/keys" -q >/dev/null
tools/build-image.sh recipes/exit.toml "$work/exit" "$work/keys" -q --set config.owner="$(cat "$work/keys/owner.pub")" >/dev/null
began=$(date +%s%N)
vitrine-qemu boot "$work/exit" --secure-boot "$work/keys/secure-boot.json" --json >"$work/boot.json" 2>"$work/err" &
guest=$!
until [ -s "$work/boot.json" ]; do
  kill -0 "$guest" 2>/dev/null || { cat "$work/err" >&2; exit 1; }
  sleep 0.05
done
up=$(($(date +%s%N) - began))
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$work/boot.json"; }
trust=(--statement "$work/exit/release.dsse.json" --key "$work/keys/release.pub" --ek-roots "$(field ek_roots)")
load peers "$clients" >"$work/peers.toml"
vitrine-verify peers sync "$work/peers.toml" --server "$(field url)" "${trust[@]}" --owner-key "$work/keys/owner.key" >&2
public=$(vitrine-verify check "$(field url)" "${trust[@]}" --json | sed -n 's/.*"wireguard":"\([^"]*\)".*/\1/p')
load run "$(field wireguard)" "$public" "$clients" "$seconds" >"$work/ours.json"
stop

# ---- the same image, but its PID 1 switches the machine off at once: what is left is ours
say "the same image with an empty init"
cp -r "${CARGO_TARGET_DIR:-target}/image-programs" "$work/programs"
printf '#include <sys/reboot.h>\nint main(void) { return reboot(RB_POWER_OFF); }\n' >"$work/init.c"
gcc -static -O2 -o "$work/programs/vitrine-init" "$work/init.c"
tools/build-image.sh recipes/exit.toml "$work/empty" "$work/keys" -q --programs "$work/programs" --set config.owner="$(cat "$work/keys/owner.pub")" >/dev/null
began=$(date +%s%N)
vitrine-qemu boot "$work/empty" --secure-boot "$work/keys/secure-boot.json" >/dev/null 2>&1 || true
empty=$(($(date +%s%N) - began))

value() { sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" "$work/$1.json"; }
compare() { # NAME FIELD DIVISOR UNIT
  LC_ALL=C awk -v o="$(value ours "$2")" -v p="$(value plain "$2")" -v d="$3" -v u="$4" \
    'BEGIN {printf "%.1f %s, plain Debian %.1f: %.2f×", o / d, u, p / d, o / p}' >"$work/text"
  row "$1" "$(cat "$work/text")"
}
compare "tunnel throughput, UDP echo through NAT" bytes_per_second 125000 Mbit/s
compare "handshakes per second, $clients clients" handshakes_per_second 1 /s
LC_ALL=C awk -v u="$up" -v e="$empty" 'BEGIN {printf "%.1f s, an empty init %.1f s: %.1f s more", u / 1e9, e / 1e9, (u - e) / 1e9}' >"$work/text"
row "start of the machine to tunnel and evidence" "$(cat "$work/text")"
