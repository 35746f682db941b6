#!/usr/bin/env bash
# Promises about the tree itself that no compiler checks.
set -euo pipefail
cd "$(dirname "$0")/.."
fail=0
complain() { echo "check-tree: $*" >&2; fail=1; }

# A registry's or mirror's host name in the tree would tie a build to one server
hosts=$(git grep -nIE '://[a-z0-9.-]*(debian|pypi|npmjs|crates)[a-z0-9.-]*(/|"|$)' -- ':!Cargo.lock' ':!tools/check-tree.sh' || true)
[ -z "$hosts" ] || complain "a registry host name: $hosts"

# The verifier must not need a TPM library
if cargo tree --locked -p vitrine-verifier -e normal | grep -q tss-esapi; then complain "tss-esapi is in the verifier's graph"; fi
if cargo tree --locked -p vitrine-attest -e normal | grep -q tss-esapi; then complain "tss-esapi is in attest's graph"; fi

# Mistakes made on purpose are in no build that nobody asks for by name
for package in vitrine-guest vitrine-resolver vitrine-gateway vitrine-launcher vitrine-metrics; do
  if cargo tree --locked -p $package -e features,no-dev --format '{p} {f}' | grep -q 'control-'; then
    complain "$package has a control- feature by default"
  fi
done
if sed -n '/^programs:/,/^$/p' Makefile | grep -q features; then complain "make programs builds with features"; fi

# Every promise names its proof or says "pending" or why it cannot be shown
while IFS= read -r line; do
  complain "docs/promises.md: a promise without proof: $line"
done < <(grep -E '^\|' docs/promises.md | grep -vE '^\| *(claim|promise|---|-+)' | grep -vE '`[^`]+`|pending|cannot be shown' || true)

# … and every test that is named there exists
while IFS= read -r name; do
  git grep -qE "fn $name\\(" -- '*.rs' || complain "docs/promises.md names a test that is not there: $name"
done < <(grep -E '^\|' docs/promises.md | grep -oE '`[a-z0-9]+(_[a-z0-9]+)+`' | tr -d '`' | grep -vE '^(block_devices|root_read_only|nft_log)$' | sort -u)
exit $fail
