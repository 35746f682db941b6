#!/usr/bin/env bash
# A log: entries a second, durable one by one and in batches; a million entries hashed anew; what a proof costs; publishing
# with two witnesses. Called by `make bench`, which has built the programs. Prints rows of its table.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
entries=${BENCH_LOG_ENTRIES:-1000000}
bench=$target/static/x86_64-unknown-linux-gnu/verifier/examples/bench_log
# the disk that people keep logs on, not a file system in memory
work=$(mktemp -d "$target/bench-log.XXXXXX")
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT
say() { echo "bench: $*" >&2; }
row() { LC_ALL=C printf '| %-52s | %-28s |\n' "$1" "$2"; }
# seconds and KiB of a command
timed() { /usr/bin/time -f '%e %M' -o "$work/time" "$@" >/dev/null; }
seconds() { cut -d' ' -f1 "$work/time"; }
mebibytes() { awk '{ printf "%.0f", $2 / 1024 }' "$work/time"; }
rate() { awk -v n="$1" -v s="$(seconds)" 'BEGIN { printf "%d", n / s }'; }

say "a log of $entries entries; load $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores"
awk -v n="$entries" 'BEGIN { for (i = 0; i < n; i++) printf "%0128d\n", i }' >"$work/lines"
head -n 2000 "$work/lines" >"$work/few"

vitrine-verify log init "$work/one" --origin log.example/one >/dev/null
timed vitrine-verify log append "$work/one" --lines "$work/few" --batch 1
row "log: entries a second, each durable by itself" "$(rate 2000)"
for batch in 256 1024 4096 16384; do
  rm -rf "$work/log"
  vitrine-verify log init "$work/log" --origin log.example/log >/dev/null
  timed vitrine-verify log append "$work/log" --lines "$work/lines" --batch "$batch"
  row "log: entries a second, $batch in a durable change" "$(rate "$entries"), $(mebibytes) MiB"
done
timed vitrine-verify log append "$work/log" --lines "$work/few" --batch 1
row "log: 2,000 entries again, all there before" "$(seconds) s, $(mebibytes) MiB"
timed vitrine-verify log fsck "$work/log"
row "log: all $entries entries, tiles and the index made anew" "$(seconds) s, $(mebibytes) MiB"

say "two witnesses"
for n in 1 2; do
  vitrine-verify witness init "$work/w$n" --name "witness$n.example/w" >/dev/null
  vitrine-verify witness add-log "$work/w$n" --key "$work/log/log.pub" >/dev/null
  vitrine-verify witness serve "$work/w$n" --listen 127.0.0.1:0 >"$work/at$n" 2>/dev/null &
  pids+=($!)
done
for n in 1 2; do
  for _ in $(seq 50); do ! grep -q listening "$work/at$n" || break; sleep 0.1; done
  echo "witness w$n $(cat "$work/w$n/witness.pub") $(sed -n 's/listening on //p' "$work/at$n")"
done >"$work/log/witnesses"
printf 'group both all w1 w2\nquorum both\n' >>"$work/log/witnesses"
{ echo "log $(cat "$work/log/log.pub")"; cat "$work/log/witnesses"; } >"$work/policy"
echo "one more" >"$work/entry"
vitrine-verify log refresh "$work/log" >/dev/null
timed vitrine-verify log append "$work/log" "$work/entry"
row "log: one entry among them, with two witnesses" "$(seconds) s"
vitrine-verify log get "$work/log" --file "$work/entry" --proof "$work/proof" >/dev/null
row "log: a proof with two witnesses" "$(stat -c %s "$work/proof") bytes"
row "log: a proof checked, in one process: three signatures" "$("$bench" "$work/proof" "$work/entry" "$work/policy" 3) µs"
printf 'log %s\nquorum none\n' "$(cat "$work/log/log.pub")" >"$work/alone"
row "log: the same, the log's signature alone demanded" "$("$bench" "$work/proof" "$work/entry" "$work/alone" 1) µs"
# what other logs' programs check, too
rm -r "$work/log/public/index"
timed vitrine-verify log fsck "$work/log"
row "log: all entries and tiles, without an index" "$(seconds) s, $(mebibytes) MiB"
