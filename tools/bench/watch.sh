#!/usr/bin/env bash
# What the watch costs, and overwriting stacks: processor time, in the dev image with the test build of PID 1, which says
# it three times for six looks each (one of six is a thorough one). The guest is idle, and the tick is the default.
# Everything is emulated where there is no KVM, and other work on the machine tells: a guest's processor time goes on
# while the host does not let it run. So the load of the machine is said beside it. Called by `make bench`, which has
# built the programs. Prints two rows of its table.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
# attest/src/config: the tick when a recipe names none, in seconds
tick=10
rounds=3 looks=6
work=$(mktemp -d)
guest='' console=''
stop() {
  [ -z "$guest" ] || { kill "$guest" 2>/dev/null || true; wait "$guest" 2>/dev/null || true; }
  [ -z "$console" ] || rm -rf "$(dirname "$console")"
  rm -rf "$work"
}
trap stop EXIT
say() { echo "bench: $*" >&2; }

say "the watch: a boot, and three minutes of doing nothing"
vitrine keygen --out "$work/keys" -q >/dev/null
tools/build-image.sh recipes/dev.toml "$work/watch" "$work/keys" -q --set config.owner="$(cat "$work/keys/owner.pub")" \
  --programs "$target/probe-programs" >/dev/null
vitrine-qemu boot "$work/watch" --secure-boot "$work/keys/secure-boot.json" --keep --json >"$work/boot.json" 2>"$work/err" &
guest=$!
told() { [ -n "$console" ] && sed -n 's/.*probe: watch: '$looks' looks took \([0-9]*\) us.*/\1/p' "$console"; }
# A boot and the looks, on a machine that is slow
for _ in $(seq 900); do
  kill -0 "$guest" 2>/dev/null || { cat "$work/err" >&2; exit 1; }
  [ -n "$console" ] || console=$(sed -n 's/.*-serial file:\([^ ]*\).*/\1/p' "$work/err")
  [ "$(told | wc -l)" -lt "$rounds" ] || break
  sleep 1
done
[ "$(told | wc -l)" -ge "$rounds" ] || { say "it did not say what $rounds times $looks looks cost"; exit 1; }
accel=$(grep -o -m1 -e '-accel [a-z]*' "$work/err" | cut -d' ' -f2)
load=$(cut -d' ' -f3 /proc/loadavg)
told | sort -n | LC_ALL=C awk -v looks="$looks" -v tick="$tick" -v accel="$accel" -v load="$load" -v cores="$(nproc)" '
  { us[NR] = $1 / looks }
  END {
    middle = us[int((NR + 1) / 2)] / 1000
    printf "| %-52s | %-28s |\n", "the watch, a look each " tick " s (" accel ", load " load " on " cores " cores)",
      sprintf("%.0f ms a look (%.0f–%.0f), %.2f %% of a core", middle, us[1] / 1000, us[NR] / 1000, middle / tick / 10)
  }'
# And beside it, in the same minutes: the janitor's packets to itself, twice a minute
sed -n 's/.*probe: stacks: [0-9]* handshakes and [0-9]* begun took \([0-9]*\) us of \([0-9]*\).*/\1 \2/p' "$console" | sort -n |
  LC_ALL=C awk -v accel="$accel" -v load="$load" -v cores="$(nproc)" '
  { us[NR] = $1; clock[NR] = $2 }
  END {
    if (!NR) exit 1
    middle = int((NR + 1) / 2)
    printf "| %-52s | %-28s |\n", "stacks overwritten, every 30 s (" accel ", load " load " on " cores " cores)",
      sprintf("%.0f ms of PID 1 in %.0f ms, %.2f %% of a core", us[middle] / 1000, clock[middle] / 1000, us[middle] / 300000)
  }' || { say "it did not say what overwriting stacks costs"; exit 1; }
