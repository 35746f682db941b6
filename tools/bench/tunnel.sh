#!/usr/bin/env bash
# Tunnel throughput and handshakes per second: our exit image beside a plain Debian 13 server of the same job (same
# kernel; wg, nft and ip from a shell script). Both run under the same QEMU and get the same load in turns; the table has
# the median of the rounds' ratios, so that other work on the machine tells on both.
# Then the time from PID 1's start to tunnel and evidence, and the memory of each process. Called by `make bench`. Prints rows of its table.
#   BENCH_SECONDS of one load (10), BENCH_ROUNDS (3)
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${BENCH_SECONDS:-10} rounds=${BENCH_ROUNDS:-3} clients=200
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
export XDG_STATE_HOME="$work/state" # not the person's memory of servers
guests=()
stop() {
  for guest in "${guests[@]}"; do kill "$guest" 2>/dev/null || true; wait "$guest" 2>/dev/null || true; done
  guests=()
}
trap 'stop; rm -rf "$work"' EXIT
load() { "$target/release/examples/bench_tunnel" "$@"; }
row() { printf '| %-52s | %-28s |\n' "$1" "$2"; }
say() { echo "bench: $*" >&2; }
now() { date +%s%N; }
median() { sort -n "$1" | sed -n "$((($(wc -l <"$1") + 1) / 2))p"; }
field() { sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$1"; }

# ---- the plain server
say "a plain Debian guest"
mkdir -p "$work/extra/etc"
printf 'outer=203.0.113.15/24\ngateways=203.0.113.2\ninner=10.66.0.1/16\n' >"$work/extra/etc/plain.conf"
plain_secret=$(head -c 32 /dev/urandom | base64)
{ printf '[Interface]\nListenPort = 51820\nPrivateKey = %s\n' "$plain_secret"; load conf "$clients"; } >"$work/extra/etc/plain.wg"
tools/plain/build.sh tools/plain/plain.toml "$work/extra" "$work/guest"
port=$((20000 + RANDOM % 10000))
# As vitrine-qemu starts ours: before 8.1 a guest whose processors have a thread each crashes now and then
threads=single
! qemu-system-x86_64 --version | grep -qE 'version (8\.[1-9]|9\.|[1-9][0-9])' || threads=multi
qemu-system-x86_64 -machine q35 -accel tcg,thread=$threads -cpu max -smp 2 -m 1024 -display none -monitor none -no-reboot -nodefaults \
  -serial "file:$work/serial" -kernel "$work/guest/vmlinuz" -initrd "$work/guest/initrd" -append "quiet console=ttyS0" \
  -netdev "user,id=n,net=203.0.113.0/24,hostfwd=udp:127.0.0.1:$port-203.0.113.15:51820" -device virtio-net-pci,netdev=n,romfile= &
guests+=($!)
for _ in $(seq 600); do
  grep -q ready "$work/serial" 2>/dev/null && break
  kill -0 "${guests[0]}" 2>/dev/null || { tail -n 20 "$work/serial" >&2; exit 1; }
  sleep 0.1
done
plain_key=$(load public "$plain_secret")

# ---- ours
vitrine keygen --out "$work/keys" -q >/dev/null
image() { # NAME RECIPE MORE…
  local name=$1 recipe=$2
  shift 2
  tools/build-image.sh "recipes/$recipe.toml" "$work/$name" "$work/keys" -q --set config.owner="$(cat "$work/keys/owner.pub")" "$@" >/dev/null
}
start() { # NAME MORE…: boots it, waits for its answer
  local name=$1
  shift
  rm -f "$work/$name.json"
  vitrine-qemu boot "$work/$name" --secure-boot "$work/keys/secure-boot.json" --json "$@" >"$work/$name.json" 2>"$work/err" &
  guests+=($!)
  until [ -s "$work/$name.json" ]; do
    kill -0 "${guests[-1]}" 2>/dev/null || { cat "$work/err" >&2; exit 1; }
    sleep 0.05
  done
}
say "the exit image"
image exit exit
start exit
trust=(--statement "$work/exit/release.dsse.json" --key "$work/keys/release.pub" --ek-roots "$(field "$work/exit.json" ek_roots)")
load peers "$clients" >"$work/peers.toml"
url=$(field "$work/exit.json" url)
vitrine-verify peers sync "$work/peers.toml" --server "$url" "${trust[@]}" --owner-key "$work/keys/owner.key" >/dev/null
key=$(vitrine-verify check "$url" "${trust[@]}" --json | sed -n 's/.*"wireguard":"\([^"]*\)".*/\1/p')
for round in $(seq "$rounds"); do
  say "round $round of $rounds"
  load run "$(field "$work/exit.json" wireguard)" "$key" "$clients" "$seconds" >"$work/ours"
  load run "127.0.0.1:$port" "$plain_key" "$clients" "$seconds" >"$work/plain.round"
  for what in bytes_per_second handshakes_per_second; do
    ours=$(field "$work/ours" $what) plain=$(field "$work/plain.round" $what)
    LC_ALL=C awk -v o="$ours" -v p="$plain" 'BEGIN {print o / p, o, p}' >>"$work/$what"
  done
done
stop
compare() { # NAME FIELD DIVISOR UNIT
  read -r ratio ours plain < <(median "$work/$2")
  row "$1" "$(LC_ALL=C awk -v r="$ratio" -v o="$ours" -v p="$plain" -v d="$3" -v u="$4" \
    'BEGIN {printf "%.1f %s, plain Debian %.1f: %.2f×", o / d, u, p / d, r}')"
}
compare "tunnel throughput, UDP echo through NAT" bytes_per_second 125000 Mbit/s
compare "handshakes per second, $clients clients" handshakes_per_second 1 /s

# ---- from the kernel's start to PID 1, which is all that an empty init would need, and from there to tunnel and evidence.
# Only the dev image says on its console when that is; whole boots differ by many seconds from one to the next here.
image dev dev
for round in $(seq "$rounds"); do
  say "start $round of $rounds"
  rm -f "$work/err"
  vitrine-qemu boot "$work/dev" --secure-boot "$work/keys/secure-boot.json" --keep >/dev/null 2>"$work/err" &
  guests+=($!)
  console='' first=''
  until [ -n "$console" ] && grep -q 'vitrine-init: serving' "$console"; do
    kill -0 "${guests[-1]}" 2>/dev/null || { cat "$work/err" >&2; exit 1; }
    [ -n "$console" ] || console=$(sed -n 's/.*-serial file:\([^ ]*\).*/\1/p' "$work/err")
    [ -n "$first" ] || [ -z "$console" ] || ! grep -q 'Run /init' "$console" 2>/dev/null || first=$(now)
    sleep 0.02
  done
  echo "$(($(now) - first)) $(sed -n 's/^\[ *\([0-9.]*\)\] Run .init.*/\1/p' "$console")" >>"$work/starts"
  stop
  rm -rf "$(dirname "$console")"
done
read -r more kernel < <(median "$work/starts")
row "kernel start to PID 1; to tunnel and evidence" "$(LC_ALL=C awk -v m="$more" -v k="$kernel" \
  'BEGIN {printf "%.1f s; %.1f s more", k, m / 1e9}')"

# ---- the test build of PID 1 kills each child once and says how much memory it had
say "memory of each process"
image memory dev --programs "$target/probe-programs"
start memory --keep
console=$(sed -n 's/.*-serial file:\([^ ]*\).*/\1/p' "$work/err")
for _ in $(seq 600); do
  grep -q 'probe: children done' "$console" && break
  sleep 0.2
done
row "memory, at most: PID 1, agent, resolver, metrics" "$(for name in init agent resolver metrics; do
  sed -n "s/.*probe: memory $name: \([0-9]*\) KiB.*/\1/p" "$console"
done | LC_ALL=C awk '{printf "%s%.1f", (NR > 1 ? ", " : ""), $1 / 1024} END {print " MiB"}')"
stop
rm -rf "$(dirname "$console")"
