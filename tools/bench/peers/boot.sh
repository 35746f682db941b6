#!/usr/bin/env bash
# boot.sh PEER.EFI SECRET: boots the exit image, the dev image and a Debian image for the same job, by turns, with the same
# firmware, memory, processors, network card and TPM, Secure Boot on, and waits for the first WireGuard handshake that is answered.
#   KEYS: folder of `vitrine keygen` that signed all three; EXIT, DEV: output folders with its owner; BENCH_ROUNDS (3)
# Power-on is when QEMU has made its console file. The kernel's start is by the kernel's own clock: ours is the dev image's,
# which alone says something on its console, and works more for it; Debian's is told by a unit that runs after wg-quick.
set -euo pipefail
cd "$(dirname "$0")/../../.."
peer=$(realpath "$1") secret=$2 rounds=${BENCH_ROUNDS:-3}
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
export XDG_STATE_HOME="$work/state" # not the person's memory of servers
. tools/bench/peers/lib.sh
guest='' asking='' folder=''
stop() {
  for process in $asking $guest; do kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; done
  [ -z "$folder" ] || rm -rf "$folder"
  guest='' asking='' folder=''
}
trap 'stop; rm -rf "$work"' EXIT
load() { "$target/release/examples/bench_tunnel" "$@"; }
field() { sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$1"; }
now() { date +%s%N; }
alive() { kill -0 "$guest" 2>/dev/null || { cat "$work/err" >&2; exit 1; }; }

# start IMAGE MORE…: sets guest, console and on, the time of power-on
start() {
  : >"$work/json"
  : >"$work/err"
  vitrine-qemu boot "$1" --secure-boot "$KEYS/secure-boot.json" --json --keep --patience 1800 "${@:2}" >"$work/json" 2>"$work/err" &
  guest=$! console=''
  until [ -n "$console" ] && [ -e "$console" ]; do
    alive
    console=$(sed -n 's/.*-serial file:\([^ ]*\).*/\1/p' "$work/err")
    sleep 0.02
  done
  on=$(now) folder=$(dirname "$console")
}
cpu() { awk '{print $14 + $15}' "/proc/$1/stat"; } # ticks of 10 ms
emulator() { pgrep -P "$guest" -f qemu-system | head -n 1; }
# wait_line PATTERN: until the console has it; sets seen. Fails when the kernel has panicked: an emulated machine on a busy one
# may do that, and then the boot is no measurement
wait_line() {
  until grep -aq "$1" "$console"; do
    alive
    ! grep -aq 'Kernel panic' "$console" || { say "a kernel panic: once more"; return 1; }
    sleep 0.02
  done
  seen=$(now)
}
again() {
  local try
  for try in 1 2 3 4 5; do
    "$1" && return
    stop
  done
  say "the kernel panicked five times"
  exit 1
}
wait_answer() {
  until [ -s "$work/json" ]; do
    alive
    sleep 0.02
  done
}
keep() { echo "$2" >>"$work/$1"; }
since() { LC_ALL=C awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3f", (b - a) / 1e9}'; }

load peers 1 >"$work/peers.toml"
exit_image() {
  rm -rf "$XDG_STATE_HOME" # each boot is a server that nobody has seen
  start "$EXIT"
  wait_answer
  keep exit-answer "$(since "$on" "$(now)")"
  keep exit-cpu "$(cpu "$(emulator)")"
  local trust=(--statement "$EXIT/release.dsse.json" --key "$KEYS/release.pub" --ek-roots "$(field "$work/json" ek_roots)") url key
  url=$(field "$work/json" url)
  vitrine-verify peers sync "$work/peers.toml" --server "$url" "${trust[@]}" --owner-key "$KEYS/owner.key" >/dev/null
  key=$(vitrine-verify check "$url" "${trust[@]}" --json | sed -n 's/.*"wireguard":"\([^"]*\)".*/\1/p')
  keep exit-handshake "$(since "$on" "$(load first "$(field "$work/json" wireguard)" "$key" 60)")"
  stop
}
dev_image() {
  start "$DEV"
  wait_line 'Run /init' || return 1
  local stamp
  stamp=$(sed -n 's/^\[ *\([0-9.]*\)\] Run .init.*/\1/p' "$console")
  wait_answer
  keep dev-answer "$(LC_ALL=C awk -v r="$(since "$seen" "$(now)")" -v s="$stamp" 'BEGIN {printf "%.3f", r + s}')"
  stop
}
peer_image() {
  local port=$((20000 + RANDOM % 10000)) answered up
  start "$peer" --wireguard-port "$port"
  "$target/release/examples/bench_tunnel" first "127.0.0.1:$port" "$(load public "$secret")" 1800 >"$work/first" &
  asking=$!
  wait_line 'bench: up' || return 1
  wait "$asking"
  asking=''
  keep peer-cpu "$(cpu "$(emulator)")"
  answered=$(cat "$work/first") up=$(sed -n 's/.*bench: up \([0-9.]*\).*/\1/p' "$console")
  keep peer-handshake "$(since "$on" "$answered")"
  keep peer-kernel "$(LC_ALL=C awk -v r="$(since "$seen" "$answered")" -v u="$up" 'BEGIN {printf "%.3f", r + u}')"
  keep peer-before "$(LC_ALL=C awk -v r="$(since "$on" "$seen")" -v u="$up" 'BEGIN {printf "%.3f", r - u}')"
  stop
}
for round in $(seq "$rounds"); do
  say "boot, round $round of $rounds: load $(cut -d' ' -f1 /proc/loadavg)"
  exit_image
  again dev_image
  again peer_image
done
middle() { LC_ALL=C sort -n "$work/$1" | sed -n "$(((rounds + 1) / 2))p"; }
spread() { LC_ALL=C sort -n "$work/$1" | sed -n '1p;$p' | paste -sd- | sed 's/-/–/'; }
seconds() { echo "$(middle "$1") s ($(spread "$1"))"; }
ratio() { LC_ALL=C awk -v a="$(middle "$1")" -v b="$(middle "$2")" 'BEGIN {printf "%.3f×", a / b}'; }
row "Debian: power-on to the kernel's start" "$(seconds peer-before)"
row "Debian: the kernel's start to the first handshake" "$(seconds peer-kernel)"
row "Debian: power-on to the first handshake" "$(seconds peer-handshake)"
row "ours, exit: power-on to the server's answer: tunnel and evidence" "$(seconds exit-answer); $(ratio exit-answer peer-handshake)"
row "ours, exit: the same, user added and first handshake" "$(seconds exit-handshake); $(ratio exit-handshake peer-handshake)"
row "ours, dev: the kernel's start to the server's answer" "$(seconds dev-answer); $(ratio dev-answer peer-kernel)"
row "CPU of QEMU until then: ours, exit; Debian" \
  "$(LC_ALL=C awk -v a="$(middle exit-cpu)" -v b="$(middle peer-cpu)" 'BEGIN {printf "%.1f s, %.1f s: %.3f×", a / 100, b / 100, a / b}')"
