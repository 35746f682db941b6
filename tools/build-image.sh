#!/usr/bin/env bash
# build-image.sh RECIPE OUT KEYS [more arguments of `vitrine build`]
# Builds a recipe from its committed lock. When the mirrors have dropped a locked version (they do at each point
# release), it makes a fresh lock in a scratch folder, says so, and goes on: the committed lock is left alone.
set -euo pipefail
recipe=$1 out=$2 keys=$3
shift 3

log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
vitrine build "$recipe" --out "$out" --keys "$keys" "$@" 2> >(tee "$log" >&2) || code=$?
wait
[ "$code" -eq 0 ] && exit 0
grep -q "is gone from every mirror" "$log" || exit "$code"

fresh=$(dirname "$out")/$(basename "$recipe" .toml).lock.toml
echo "The committed lock names packages that no mirror has any more: making a fresh lock in $fresh" >&2
vitrine lock "$recipe" --out "$fresh"
vitrine build "$recipe" --out "$out" --keys "$keys" --lock "$fresh" "$@"
