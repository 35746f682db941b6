#!/usr/bin/env bash
# Evidence per second from one swtpm: as fast as it is, and as slow as a chip; each with 1, 4, 32 and 100 clients. A client
# that is alone has each quote for itself. Called by `make bench`. Prints rows of its table.
set -euo pipefail
cd "$(dirname "$0")/../.."
echo "bench: evidence; load $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores" >&2
CI=true cargo test --release --locked -q -p vitrine-agent --test swtpm -- --ignored --nocapture evidence_per_second |
	sed -n 's/^\(.* clients\): \(.*\)$/| evidence, \1 | \2 | |/p'
