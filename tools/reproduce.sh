#!/usr/bin/env bash
# The reproducibility matrix in full (docs/reproduce.md): compiles the programs on this machine as it is, under all other conditions
# at once, and on Debian 12 and 13 as hosts, builds the exit image of each, then that image under one condition after the other.
# Prints a row for each; text and JSON are left in $CARGO_TARGET_DIR/reproduce. Fails when a byte differs, and names the stage.
# reproduce.sh [SOURCE]: from other sources that are to give the same; default: what git tracks here
set -euo pipefail
[ -z "${1:-}" ] || export VITRINE_REPRODUCE_SOURCE="$(realpath "$1")"
cd "$(dirname "$0")/.."
exec cargo test --release --locked -p vitrine-builder --test matrix -- --ignored --nocapture
