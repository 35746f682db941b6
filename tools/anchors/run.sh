#!/usr/bin/env bash
# Anchors against other people's programs: see docs/anchors.md. Called by `make anchors`.
# A compiler, a local chain and the usual timestamp library are installed at pinned versions below $TARGET/anchors.
# Exit codes: 0 all holds, 1 something does not, 2 a peer was not there (unless ANCHORS_ALLOW_MISSING=1).
set -uo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/anchors
here=$PWD/tools/anchors
contract=$PWD/verifier/src/anchor/evm/contract
fail=0 missing=0
mkdir -p "$work/js"
rm -rf "$work"/{chain,stamps}
mkdir -p "$work"/{chain,stamps}

verify=${VITRINE_VERIFY:-$target/debug/vitrine-verify}
if [ -z "${VITRINE_VERIFY:-}" ]; then
  cargo build -q --locked -p vitrine-verifier --features anchors --bin vitrine-verify || exit 2
fi

skipped() {
  echo "$1: skipped: $2"
  missing=1
}
# held WHAT COMMAND…
held() {
  local what=$1
  shift
  if "$@"; then
    echo "$what: ok"
  else
    echo "$what: FAILED"
    fail=1
  fi
}
# stamped STAMP FILE…: whether these files are those of the last installation
stamped() {
  local stamp=$1
  shift
  [ "$(cat "$stamp" 2>/dev/null)" = "$(cat "$@" | sha256sum)" ]
}

install_js() {
  command -v npm >/dev/null || return 1
  cp "$here"/js/{package.json,package-lock.json,compile.js,chain.js} "$work/js/"
  stamped "$work/js/stamp" "$here/js/package-lock.json" && return
  (cd "$work/js" && npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1 || return 1
  sha256sum < "$here/js/package-lock.json" > "$work/js/stamp"
}
install_python() {
  local venv=$work/venv
  stamped "$venv/stamp" "$here/python/requirements.txt" && return
  { rm -rf "$venv" && python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check \
    --only-binary :all: --require-hashes -r "$here/python/requirements.txt"; } >"$work/pip.log" 2>&1 || return 1
  sha256sum < "$here/python/requirements.txt" > "$venv/stamp"
}

# The code that the verifier carries is what this compiler makes of the source; and the comparison can fail
compiled() {
  (cd "$work/js" && node compile.js "$contract/CheckpointAnchor.sol") > "$work/CheckpointAnchor.json" || return 1
  cmp "$work/CheckpointAnchor.json" "$contract/CheckpointAnchor.json" || return 1
  mkdir -p "$work/changed"
  sed 's/sn == 0 && fr == oldRoot/sn == 0/' "$contract/CheckpointAnchor.sol" > "$work/changed/CheckpointAnchor.sol"
  (cd "$work/js" && node compile.js "$work/changed/CheckpointAnchor.sol") > "$work/changed/CheckpointAnchor.json" || return 1
  ! cmp -s "$work/changed/CheckpointAnchor.json" "$contract/CheckpointAnchor.json"
}
on_chain() { (cd "$work/js" && timeout 1200 node chain.js "$1" "$verify" "$2"); }
# A contract that forgets to compare the old root has to fail the same test
control() {
  mkdir -p "$work/control"
  rm -rf "${work:?}/control"/*
  ! ANCHORS_CONTROL=1 on_chain "$work/control" "$work/changed/CheckpointAnchor.json" >/dev/null 2>"$work/control.log" || return 1
  grep -q forged "$work/control.log" || { cat "$work/control.log"; return 1; }
}

if install_js; then
  held "contract, compiled again" compiled
  held "contract on a local chain" on_chain "$work/chain" "$contract/CheckpointAnchor.json"
  held "control: a contract with a mistake fails this" control
  cat "$work/chain/gas.md" 2>/dev/null
else
  skipped "contract" "install nodejs and npm, or see $work/npm.log"
fi
if install_python; then
  "$verify" log init "$work/stamps/log" --origin log.example/stamped >/dev/null || fail=1
  echo "an entry" > "$work/stamps/entry"
  "$verify" log append "$work/stamps/log" "$work/stamps/entry" >/dev/null || fail=1
  held "timestamps" timeout 600 "$work/venv/bin/python" "$here/python/stamps.py" "$work/stamps" "$verify" \
    "$work/stamps/log/public/checkpoint"
else
  skipped "timestamps" "see $work/pip.log"
fi
[ $fail -eq 0 ] || exit 1
[ $missing -eq 0 ] || [ "${ANCHORS_ALLOW_MISSING:-}" = 1 ] || exit 2
