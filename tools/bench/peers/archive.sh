#!/usr/bin/env bash
# archive.sh TREE SCRATCH: writes the folder TREE as newc cpio, compressed with zstd -9, with our packer and with others.
# Ours is compressed in layers side by side, and reads the result back and compares it; theirs is one piece, and is not read.
set -euo pipefail
cd "$(dirname "$0")/../../.."
tree=$(realpath "$1") work=$(realpath "$2") rounds=${BENCH_ROUNDS:-5}
. tools/bench/peers/lib.sh
target=${CARGO_TARGET_DIR:-target}
(cd "$tree" && find . -mindepth 1 | LC_ALL=C sort) >"$work/names"
{ echo '#cpio: zstd -9' && sed 's|^\./\(.*\)|./\1\t\1|' "$work/names"; } >"$work/manifest"
# What gen_init_cpio reads: kind, name, source, mode, owner
(cd "$tree" && find . -mindepth 1 \( -type d -printf 'dir /%P 0755 0 0\n' -o -type l -printf 'slink /%P %l 0777 0 0\n' \
  -o -type f -printf "file /%P $tree/%P 0555 0 0\n" \) | LC_ALL=C sort -k2) >"$work/list"

sed 's/zstd -9/zstd -17/' "$work/manifest" >"$work/manifest-17"
racers=("ours=$target/release/examples/archive $tree $work/ours.cpio.zst zstd 9"
  "cpio=cd $tree && cpio -o -H newc --quiet --reproducible <$work/names | zstd -q -9 -T2 -f -o $work/gnu.cpio.zst"
  "cpio1=cd $tree && cpio -o -H newc --quiet --reproducible <$work/names | zstd -q -9 --single-thread -f -o $work/gnu1.cpio.zst")
[ -z "${THREECPIO:-}" ] || racers+=("3cpio=rm -f $work/3.cpio.zst; $THREECPIO --create -C $tree $work/3.cpio.zst <$work/manifest"
  "small=rm -f $work/small.cpio.zst; $THREECPIO --create -C $tree $work/small.cpio.zst <$work/manifest-17")
[ -z "${GEN_INIT_CPIO:-}" ] || racers+=("gen=$GEN_INIT_CPIO $work/list | zstd -q -9 -T2 -f -o $work/gen.cpio.zst")
race "${racers[@]}"

megabytes() { LC_ALL=C awk -v b="$(stat -c %s "$1")" 'BEGIN {printf "%.2f MB", b / 1e6}'; }
row "archive, zstd -9: ours, read back and compared" "$(shown ours), $(megabytes "$work/ours.cpio.zst")"
row "GNU cpio and zstd, 2 threads" "$(shown cpio), $(megabytes "$work/gnu.cpio.zst"); $(times ours cpio)"
row "GNU cpio and zstd, 1 thread" "$(shown cpio1), $(megabytes "$work/gnu1.cpio.zst"); $(times ours cpio1)"
if [ -n "${THREECPIO:-}" ]; then
  row "$("$THREECPIO" --version)" "$(shown 3cpio), $(megabytes "$work/3.cpio.zst"); $(times ours 3cpio)"
  # ours looks further back and deeper than the level asks for, so it does more at a level and writes less: the same size
  row "$("$THREECPIO" --version), zstd -17" "$(shown small), $(megabytes "$work/small.cpio.zst"); $(times ours small)"
fi
if [ -n "${GEN_INIT_CPIO:-}" ]; then
  row "gen_init_cpio and zstd, 2 threads" "$(shown gen), $(megabytes "$work/gen.cpio.zst"); $(times ours gen)"
fi
