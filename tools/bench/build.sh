#!/usr/bin/env bash
# Times, sizes and memory of the main job, as a table. Each time is the median of some runs.
# Called by `make bench`, which has built the programs. Writes nothing but a scratch folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
export XDG_STATE_HOME="$work/state" # not the person's memory of servers
trap 'rm -rf "$work"' EXIT
runs=${BENCH_RUNS:-3}

row() { printf '| %-52s | %-36s |\n' "$1" "$2"; }

# Median by the clock, with the processor time and the largest resident memory of that run: measure NAME PREPARE COMMAND…
measure() {
  local name=$1 prepare=$2
  shift 2
  for _ in $(seq "$runs"); do
    $prepare
    /usr/bin/time -f '%e %U %S %M' -o "$work/time" "$@" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
    tail -n 1 "$work/time"
  done | sort -n >"$work/times"
  sed -n "$(((runs + 1) / 2))p" "$work/times" >"$work/median"
  row "$name" "$(LC_ALL=C awk '{printf "%.2f s, CPU %.2f s, %d MiB", $1, $2 + $3, $4 / 1024}' "$work/median")"
}

vitrine keygen --out "$work/keys" -q >/dev/null
cp recipes/*.toml "$work/"
sed 's|^wireguard.ports = .*|wireguard.ports = [51900]|' recipes/exit.toml >"$work/changed.toml"
cp recipes/exit.lock.toml "$work/changed.lock.toml"

# A lock that still fits the archive, and a store with all packages
export VITRINE_CACHE=$work/cache
tools/build-image.sh recipes/exit.toml "$work/first" "$work/keys" -q >/dev/null
lock=$work/exit.lock.toml
[ -e "$work/exit.lock.toml" ] || lock=recipes/exit.lock.toml
build() { vitrine build "$1" --lock "$lock" --out "$work/out-$2" --keys "$work/keys" --offline -q; }
export -f build
export work lock
forget() { rm -rf "$VITRINE_CACHE/cache" "$work"/out-*; }
remember() { rm -rf "$work"/out-a; }
nothing() { :; }

echo "machine: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs)"
echo
row "what" "median of $runs runs"
row "---" "---"
measure "lock (indices cached)" nothing vitrine lock recipes/exit.toml --out "$work/lock.toml" -q
measure "cold build from a filled store" forget bash -c 'build recipes/exit.toml a'
measure "rebuild without change" nothing bash -c 'build recipes/exit.toml a'
measure "the same image into an empty folder" remember bash -c 'build recipes/exit.toml a'
reset_config() { bash -c 'build recipes/exit.toml b' >/dev/null; sed -i "s/^wireguard.ports = .*/wireguard.ports = [$((30000 + RANDOM % 20000))]/" "$work/changed.toml"; }
measure "rebuild after a configuration change" reset_config bash -c 'build "$work/changed.toml" b'
measure "screen of image.efi, from its bytes alone" nothing vitrine screen "$work/first/image.efi" --statement "$work/first/release.dsse.json" --key "$work/keys/release.pub"
row "image.efi" "$(LC_ALL=C awk -v b="$(stat -c %s "$work/first/image.efi")" 'BEGIN {printf "%.1f MB", b / 1e6}')"
vitrine inspect "$work/first" | awk '/^  layer .*packed/ {on = 1; next} NF != 3 {on = 0} on {print $1, $2, $3}' |
  while read -r layer packed raw; do
    row "layer $layer" "$(LC_ALL=C awk -v p="$packed" -v r="$raw" 'BEGIN {printf "%.2f MB packed, %.2f MB raw", p / 1e6, r / 1e6}')"
  done

row "vitrine-verify, static" "$(LC_ALL=C awk -v b="$(stat -c %s "$(command -v vitrine-verify)")" 'BEGIN {printf "%.2f MB", b / 1e6}')"

# One boot: power-on → the server answers; then checks of the running server, and of the saved messages
vitrine-qemu boot "$work/first" --secure-boot "$work/keys/secure-boot.json" --json >"$work/boot.json" 2>"$work/err" &
guest=$!
trap 'kill $guest 2>/dev/null; wait $guest 2>/dev/null; rm -rf "$work"' EXIT
until [ -s "$work/boot.json" ]; do
  kill -0 $guest 2>/dev/null || { cat "$work/err" >&2; exit 1; }
  sleep 0.2
done
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$work/boot.json"; }
row "power-on to the server's answer (TCG, UEFI, TPM)" "$(LC_ALL=C awk -v ms="$(field milliseconds)" 'BEGIN {printf "%.1f s", ms / 1000}')"
trust=(--statement "$work/first/release.dsse.json" --key "$work/keys/release.pub" --ek-roots "$(field ek_roots)")
measure "check of a running server, with activation" nothing vitrine-verify check "$(field url)" "${trust[@]}" --save "$work/record.json"
measure "check of the saved messages" nothing vitrine-verify check "$work/record.json" "${trust[@]}"
