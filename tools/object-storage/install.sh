#!/usr/bin/env bash
# moto, which the tests of logs in object storage talk to, at pinned versions below $TARGET/object-storage. Called by `make test`.
# Without a network it says so and ends with 0, and the tests skip; with VITRINE_OBJECT_STORAGE=required it fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$(realpath -m "${CARGO_TARGET_DIR:-target}")/object-storage/venv
requirements=$PWD/tools/object-storage/requirements.txt
[ "$(cat "$venv/stamp" 2>/dev/null)" != "$(sha256sum < "$requirements")" ] || exit 0
mkdir -p "${venv%/*}"
if { rm -rf "$venv" && python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check \
  --only-binary :all: --require-hashes -r "$requirements"; } >"${venv%/*}/pip.log" 2>&1; then
  sha256sum < "$requirements" > "$venv/stamp"
else
  rm -rf "$venv"
  echo "moto is not installed: $(grep . "${venv%/*}/pip.log" | tail -n 1)" >&2
  [ "${VITRINE_OBJECT_STORAGE:-}" != required ]
fi
