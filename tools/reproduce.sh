#!/usr/bin/env bash
# Compiles the programs twice under other conditions and compares them byte by byte, then builds the exit recipe's unsigned image
# with each and asks `vitrine diff` for the first stage that differs. Exit code 0: nothing does. 1: something does. 2: it could not be tried.
# reproduce.sh [SOURCE]: the second time from SOURCE, sources that are to give the same; default: a copy of these
#
# Differs on purpose: folder and its length, user (when root starts it), umask, time zone, locale, host name, home, processors,
# what is in the cache. Takes two full compilations.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
vitrine=${VITRINE:-$root/${CARGO_TARGET_DIR:-target}/release/vitrine}
lock=recipes/toolchain.lock.toml
work=$(mktemp -d "${TMPDIR:-/tmp}/vitrine-reproduce.XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
[ -x "$vitrine" ] || { echo "$vitrine is missing: run \`make build\`" >&2; exit 2; }

# What both may share: packages and crates, which are checked against their hashes. Nothing derived
seed() {
  mkdir -p "$1"
  if [ -d "${VITRINE_CACHE:-$HOME/.cache/vitrine}/sha256" ]; then
    cp -r "${VITRINE_CACHE:-$HOME/.cache/vitrine}/sha256" "$1/"
  fi
}

differences() {
  echo "            first                            second"
  printf '%-11s %-32s %s\n' "$@"
}

first() {
  VITRINE_CACHE=$work/a/cache "$vitrine" compile "$lock" --out "$work/a/programs" --source .
}

# The other user's own things lie where that user may write
second() {
  local folder=$work/b/a-much-longer-path/with-one-more-folder user=() name=() cores=()
  mkdir -p "$folder/home"
  if [ -n "${1:-}" ]; then cp -r "$1" "$folder/source"; else mkdir "$folder/source" && git ls-files -z | tar -c --null -T - | tar -x -C "$folder/source"; fi
  mkdir "$folder/cache" && cp -r "$work/a/cache/sha256" "$folder/cache/" # crates, too: this user may have no cargo
  cp "$vitrine" "$folder/vitrine"
  command -v taskset >/dev/null && cores=(taskset -c 0)
  if [ "$(id -u)" -eq 0 ]; then
    name=(unshare --uts sh -c 'hostname another-host 2>/dev/null || echo another-host > /proc/sys/kernel/hostname; exec "$@"' -)
    user=(setpriv --reuid nobody --regid nogroup --clear-groups)
    chmod 755 "$work" "$work/b"
    chown -R nobody:nogroup "$work/b"
  fi
  (cd "$folder" && umask 077 && "${name[@]}" "${cores[@]}" "${user[@]}" env -i PATH="$PATH" HOME="$folder/home" TZ=Pacific/Kiritimati \
    LC_ALL=tr_TR.UTF-8 USER=somebody VITRINE_CACHE="$folder/cache" VITRINE_MIRROR="${VITRINE_MIRROR:-}" \
    ./vitrine compile "source/$lock" --out programs --source source) || return 1
  mkdir -p "$work/second" && cp -r "$folder/programs" "$work/second/"
}

image() { # programs, output folder
  VITRINE_CACHE=$3 "$vitrine" build recipes/exit.toml --unsigned --programs "$1" --out "$2" -q
}

echo "compiling once: this user, folder, umask $(umask), $(nproc) processor(s)"
seed "$work/a/cache"
started=$SECONDS
first || exit 2
echo "took $((SECONDS - started)) s"
echo "compiling again"
differences folder "$root" "$work/b/…/source" user "$(id -un)" "$([ "$(id -u)" -eq 0 ] && echo nobody || id -un)" \
  umask "$(umask)" 077 TZ "${TZ:-unset}" Pacific/Kiritimati LC_ALL "${LC_ALL:-unset}" tr_TR.UTF-8 \
  "host name" "$(cat /proc/sys/kernel/hostname)" "$([ "$(id -u)" -eq 0 ] && echo another-host || echo the same)" \
  processors "$(nproc)" "$(command -v taskset >/dev/null && echo 1 || nproc)" cache cold "cold, another one"
started=$SECONDS
second "${1:-}" || exit 2
echo "took $((SECONDS - started)) s"

status=0
for program in vitrine-agent vitrine-init vitrine-metrics vitrine-resolver programs.json; do
  if cmp "$work/a/programs/$program" "$work/second/programs/$program"; then
    echo "same    $(sha256sum "$work/a/programs/$program" | cut -d' ' -f1)  $program"
  else
    status=1
  fi
done
image "$work/a/programs" "$work/image-a" "$work/a/cache" || exit 2
mkdir "$work/image-cache" && cp -r "$work/a/cache/sha256" "$work/image-cache/"
image "$work/second/programs" "$work/image-b" "$work/image-cache" || exit 2
"$vitrine" diff "$work/image-a" "$work/image-b" || status=1
exit $status
