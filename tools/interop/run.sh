#!/usr/bin/env bash
# Other people's programs judge what we write, and we judge what they write: see docs/interop.md. Called by `make interop`.
# Peers are installed at pinned versions below $TARGET/interop, and nothing of them gets anywhere else.
# Exit codes: 0 all hold, 1 somebody refused, or took what was spoilt, 2 a peer was not asked (unless INTEROP_ALLOW_MISSING=1).
set -uo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 TIMEFORMAT=%1R
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/interop
here=$PWD/tools/interop
ours=$target/debug/examples/interop
table=$work/table.md
fail=0 missing=0 begun=$SECONDS
mkdir -p "$work"
rm -rf "$work"/{ours,theirs,spoilt,real}
mkdir -p "$work"/{ours,theirs,spoilt}
# shellcheck source=tools/interop/peers.sh
source "$here/peers.sh"

row() { echo "| $1 | $2 | $3 | $4 | $5 |" >> "$table"; }

# judged DIRECTION PEER WHAT COMMAND…: its one line, or its refusal
judged() {
  local direction=$1 peer=$2 what=$3 line from=$EPOCHREALTIME took
  shift 3
  if line=$("$@" 2>"$work/stderr"); then
    line="ok: $line"
  else
    line="REFUSED ($?): $(tail -n 1 "$work/stderr")"
    fail=1
  fi
  took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $from }")
  echo "$peer: $what: $line"
  row "$direction" "$peer" "$what" "$line" "$took"
}

# refuses PEER WHAT COMMAND…: a judge, given something spoilt, ends with 1; with 2 it has not judged
refuses() {
  local peer=$1 what=$2 code=0
  shift 2
  "$@" >/dev/null 2>"$work/stderr" || code=$?
  if [ $code -eq 1 ]; then
    row "spoilt" "$peer" "$what" "ok: refused" ""
    controls=$((controls + 1))
  else
    echo "$peer: $what, one bit spoilt: exit code $code, not 1: $(tail -n 1 "$work/stderr")"
    row "spoilt" "$peer" "$what" "TAKEN ($code)" ""
    fail=1
  fi
}

skipped() {
  echo "$1: skipped: $2"
  row "" "$1" "" "skipped: $2" ""
  missing=1
}

# The judge decides: a writer whose pipe is closed early has nothing to say
piped() {
  local judge=$1
  shift
  "$@" 2>/dev/null | $judge
  return "${PIPESTATUS[1]}"
}

cargo build -q --locked -p vitrine-attest --features ml-dsa --example interop || exit 2
printf '| direction | peer | what | result | s |\n|---|---|---|---|---|\n' > "$table"
judged "" "this commit" "written" "$ours" write "$work/ours"

# The crates compile on one core while the other one installs the rest
build_rust &
install_python; install_go; install_js
wait $!
install_rust
echo "installed after $((SECONDS - begun)) s"

# they_judge PEER DRIVER WHAT…
they_judge() {
  local peer=$1 driver=$2 what
  shift 2
  for what in "$@"; do
    case $what in
      proofs) judged "we write" "$peer" proofs piped "$driver judge proofs $work/ours" "$ours" proofs "$work/ours" ;;
      *) judged "we write" "$peer" "$what" $driver judge "$what" "$work/ours" ;;
    esac
  done
}

# we_judge PEER DRIVER WHAT…: what it writes over our entries
we_judge() {
  local peer=$1 driver=$2 what folder=$work/theirs/${1%% *}
  shift 2
  mkdir -p "$folder"
  cp "$work/ours/entries" "$folder"
  if ! $driver write "$folder" >/dev/null 2>"$work/stderr"; then
    judged "they write" "$peer" "written" false
    return
  fi
  for what in "$@"; do
    case $what in
      proofs | some-proofs)
        judged "they write" "$peer" "$what" piped "$ours judge $what $folder" $driver proofs "$folder"
        ;;
      *) judged "they write" "$peer" "$what" "$ours" judge "$what" "$folder" ;;
    esac
  done
}

each_peer they_judge "${THEY_JUDGE[@]}"
each_peer we_judge "${WE_JUDGE[@]}"

# A log of the real command, read as a client reads it
verify=${VITRINE_VERIFY:-$target/debug/vitrine-verify}
[ -n "${VITRINE_VERIFY:-}" ] || cargo build -q --locked -p vitrine-verifier --bin vitrine-verify || exit 2
real_log() {
  local log=$work/real/log-folder n
  mkdir -p "$work/real/tlog-proofs"
  seq -f 'entry %.0f of a log' 70000 > "$work/real/lines"
  "$verify" log init "$log" --origin real.example/log && "$verify" log append "$log" --lines "$work/real/lines" || return 1
  ln -s "$log/public" "$work/real/log"
  cp "$log/log.pub" "$work/real/keys"
  for n in 0 255 256 65535 69887 69999; do
    "$verify" log get "$log" $n --proof "$work/real/tlog-proofs/$n" || return 1
  done
  python3 -c 'import base64, sys
for line in sys.stdin: print(base64.b64encode(line.rstrip("\n").encode()).decode())' < "$work/real/lines" > "$work/real/entries"
}
real_judge() {
  judged "vitrine-verify log" "$1" "$3" $2 judge "$3" "$work/real"
}
if ! "$verify" log --help >/dev/null 2>&1; then
  skipped "vitrine-verify log" "this program has no such command"
elif real_log >"$work/stdout" 2>"$work/stderr"; then
  each_peer real_judge "x-mod tiles" "tlog_tiles tiles" "proofbundle tlog-proofs"
  judged "vitrine-verify log" "this commit" tiles "$ours" judge tiles "$work/real"
else
  echo "vitrine-verify log: $(head -n 2 "$work/stderr")"
  row "vitrine-verify log" "this commit" "written" "REFUSED" ""
  fail=1
fi

# Judges that never refuse are worth nothing: beside the bits they spoil themselves, one bit in each kind of file
controls=0
cp -r "$work/ours/." "$work/spoilt"
spoil() { python3 "$here/python/flip.py" "$2" < "$work/ours/$1" > "$work/spoilt/$1"; }
spoil notes/1025 90
spoil ml-dsa/notes/1025 90
spoil tlog-proofs/511-of-1000 200
spoil roots 3000
spoil envelope 100
spoil log/tile/0/500 4000
spoil log/tile/entries/600 1000
spoil rekor/body 60
# byte 30 is in the first hash there is: of the proof that entry 0 is in the tree of 2
stream() { "$ours" proofs "$work/ours" | python3 "$here/python/flip.py" 30; }
they_refuse() {
  local peer=$1 driver=$2 what
  shift 2
  for what in "$@"; do
    case $what in
      proofs) refuses "$peer" proofs piped "$driver judge proofs $work/ours" stream ;;
      *) refuses "$peer" "$what" $driver judge "$what" "$work/spoilt" ;;
    esac
  done
}
each_peer they_refuse "${THEY_JUDGE[@]}"
they_refuse "this commit" "$ours" notes proofs tlog-proofs roots dsse tiles
echo "spoilt files: $controls refused"

printf '\n%s\n' "$(cat "$table")"
echo "$((SECONDS - begun)) s"
[ $fail -eq 0 ] || exit 1
[ $missing -eq 0 ] || [ "${INTEROP_ALLOW_MISSING:-}" = 1 ] || exit 2
