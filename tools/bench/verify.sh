#!/usr/bin/env bash
# What one check costs: processor time, memory, checks per second on one core; beside it `tpm2_checkquote` on the same quote,
# and keylime's quote check when KEYLIME_PYTHON names a Python that has it (see tools/testkit/peers.sh). Called by
# `make bench`, which has built the programs. Prints rows of its table.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
export LC_ALL=C.UTF-8 XDG_STATE_HOME=/nonexistent # not the person's memory of servers

command -v tpm2_checkquote >/dev/null || { echo "bench: install tpm2-tools" >&2; exit 2; }
python=${KEYLIME_PYTHON:-python3}
asked=without
! "$python" -c 'import keylime.tpm.tpm_main' 2>/dev/null || asked=keylime
echo "bench: one check; load $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores" >&2
# peers.py reads the kit and whether keylime is asked from these places, too
"$python" tools/bench/verify.py attest/testkit "$asked" "$(command -v vitrine-verify)" "$target/static/x86_64-unknown-linux-gnu/verifier/examples/bench_check"
