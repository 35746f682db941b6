#!/usr/bin/env bash
# Licences, advisories known to the checkout, banned crates (deny.toml). cargo-deny comes from the registry where absent.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-deny >/dev/null || env -u CARGO_TARGET_DIR cargo install --quiet --locked cargo-deny
cargo deny --locked --offline --all-features check licenses bans sources
