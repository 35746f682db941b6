#!/usr/bin/env bash
# What other programs say to the files of the adversary's test kit: writes attest/testkit/peers.md.
# Needs tpm2-tools and Python 3.11; keylime is asked when KEYLIME_PYTHON names a Python that has it. Its wheel names no
# dependencies (7.14.3); what its verifier imports: cryptography pyasn1 pyasn1-modules tornado pyyaml sqlalchemy alembic
# packaging psutil lark jinja2 jsonschema requests pyzmq, and gpg, which Debian has as python3-gpg.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C

command -v tpm2_checkquote >/dev/null || { echo "peers: install tpm2-tools" >&2; exit 2; }
tools=$(tpm2_checkquote --version | sed -n 's/.*version="\([^"]*\)".*/\1/p')
python=${KEYLIME_PYTHON:-python3}
if version=$("$python" -c 'import importlib.metadata as m, keylime.tpm.tpm_main; print(m.version("keylime"))' 2>/dev/null); then
  asked=keylime
else
  asked=without
  version="not asked (KEYLIME_PYTHON)"
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT
cat > "$out" <<TEXT
# What other programs say to the files

Measured by \`tools/testkit/peers.sh\`; do not edit. tpm2-tools $tools (Debian), keylime $version.

Read this with care. These programs check one thing each, and none of them claims to be a verifier of this protocol:

- \`tpm2_checkquote\` checks a signature over a quote, its extraData, and a list of register values against its digest.
  The list is an input; upstream published two of the findings below and mended them later (CVE-2024-29038, the magic;
  CVE-2024-29039, the selection: tpm2-tools 5.7).
- keylime, when it is asked: only the function that its verifier calls first for each quote (\`Tpm._tpm2_checkquote\`), whose register
  values then have to be those of a \`tpm_policy\`. What its registrar, its agent's enrolment, its measured boot policies
  and its allow-lists add was not run; they may well refuse what is accepted here.
- \`tpm2_eventlog\` prints a log. It claims to judge nothing: that it reads a file is no fault.

Each gets what an adversary would give it. The list of register values is signed by nobody: it claims the predicted
values, and for the two \`registers-16-and-23-…\` files it calls these registers 4 and 11. "Not claimed": which kind of
key is good enough, what it may do and where it lives is for whoever calls a quote check. Certificates, activation,
statements, what the image recorded, and several nonces under one quote are outside of all three and not in the tables.

TEXT
"$python" tools/testkit/peers.py attest/testkit "$asked" 2>/dev/null >> "$out"
install -m 0644 "$out" attest/testkit/peers.md
sed -n '/^Defective/p' attest/testkit/peers.md
