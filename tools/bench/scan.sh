#!/usr/bin/env bash
# How fast the behavioural proof searches a guest's memory. Called by `make bench`, which has built it. Prints rows of its
# table.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
"$target/release/examples/bench_scan" | while read -r name seconds; do
  printf '| %-52s | %-28s |\n' "search of 1 GiB of memory, ${name//_/ }" "$seconds s"
done
