#!/usr/bin/env bash
# build.sh STORE EXTRA SCRATCH: builds an image for the same job with ours, mkosi, mmdebstrap and cpio, and dracut, by turns, each from
# its filled store and without a network. Leaves SCRATCH/mkosi.cpio.zst. As root.
#   KEYS: folder of `vitrine keygen`; VITRINE_CACHE: a store with the packages, whose derived part is forgotten; LOCK: of the exit recipe; BENCH_PEER_ROUNDS (1: others take minutes)
set -euo pipefail
cd "$(dirname "$0")/../../.."
store=$(realpath "$1") extra=$(realpath "$2") work=$(realpath "$3") rounds=${BENCH_PEER_ROUNDS:-1} here=tools/bench/peers
. $here/lib.sh
cp recipes/*.toml "$work/"
port=51900
prepare() {
  case $1 in
  cold) rm -rf "$VITRINE_CACHE/cache" "$work/ours" ;;
  config)
    port=$((port + 1))
    sed "s|^wireguard.ports = .*|wireguard.ports = [$port]|" recipes/exit.toml >"$work/exit.toml"
    ;;
  again-mkosi) sed -i "s/^ListenPort = .*/ListenPort = $port/" "$work/extra/etc/wireguard/wg0.conf" ;;
  esac
}
ours="vitrine build $work/exit.toml --lock $LOCK --out $work/ours --keys $KEYS --offline -q"
mkosi="$here/mkosi.sh $store $extra $work/mkosi.cpio.zst"
# a folder and an output of its own: what is booted later has the port of the others
cp -a "$extra" "$work/extra"
again="$here/mkosi.sh $store $work/extra $work/again.cpio.zst --incremental yes"
racers=("cold=unshare --net $ours" "again=unshare --net $ours" "config=unshare --net $ours")
command -v mkosi >/dev/null && racers+=("mkosi=$mkosi" "again-mkosi=$again") || say "no mkosi"
# the first time with --incremental fills its cache: not counted
! command -v mkosi >/dev/null || bash -c "$again" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
racers+=("mmdebstrap=$here/mmdebstrap.sh $store $extra $work/mm.cpio.zst")
race "${racers[@]}"

# dracut wants a Debian system to run in
mkdir "$work/system"
zstd -dcq "$work/mm.cpio.zst" | (cd "$work/system" && cpio -idm --quiet --no-absolute-filenames)
rows() {
  megabytes() { LC_ALL=C awk -v b="$(cat "$@" | wc -c)" 'BEGIN {printf "%.1f MB", b / 1e6}'; }
  row "ours, exit: cold build from a filled store, signed" "$(shown cold), $(megabytes "$work/ours/image.efi")"
  row "ours: rebuild without change" "$(shown again)"
  row "ours: configuration change" "$(shown config)"
  if [ -e "$work/race/mkosi" ]; then
    row "mkosi $(mkosi --version | cut -d' ' -f2), from a filled mirror" "$(shown mkosi), $(megabytes "$work/mkosi.cpio.zst"); $(times cold mkosi)"
    row "mkosi --incremental, configuration change" "$(shown again-mkosi); $(times config again-mkosi)"
  fi
  row "mmdebstrap, cpio, zstd -9" "$(shown mmdebstrap), $(megabytes "$work/mm.cpio.zst" "$work/mm.cpio.zst.vmlinuz"); $(times cold mmdebstrap)"
}
rows
race "cold=unshare --net $ours" "dracut=$here/dracut.sh $work/system $extra $work/dracut.img"
row "dracut, in such a system" "$(shown dracut), $(megabytes "$work/dracut.img") without a kernel; $(times cold dracut)"
rm -rf "$work/system" "$work"/again.cpio.zst*
