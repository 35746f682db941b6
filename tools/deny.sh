#!/usr/bin/env bash
# Licences, advisories known to the checkout, banned crates (deny.toml). cargo-deny comes from the registry where absent.
set -euo pipefail
cd "$(dirname "$0")/.."
# built to be compiled fast: it runs for a second
command -v cargo-deny >/dev/null || env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 CARGO_PROFILE_RELEASE_DEBUG=0 cargo install --quiet --locked cargo-deny
cargo deny --locked --offline --all-features check licenses bans sources
