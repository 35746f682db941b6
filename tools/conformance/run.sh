#!/usr/bin/env bash
# A public tool judges the gateway program as an image has it: see docs/gateway.md. Called by `make conformance`.
#   httpwg    RFC 9113, frame by frame (crate httpwg-cli, MIT or Apache-2.0)
# It is installed at a pinned version below $TARGET/conformance, and nothing of it gets anywhere else. Needs python3, openssl.
# VITRINE_GATEWAY_BINARY names another program.
# Exit codes: 0 all as known, 1 something else, 2 the tool could not be had or asked.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/conformance
here=$PWD/tools/conformance
program=$(realpath "${VITRINE_GATEWAY_BINARY:-$target/image-programs/vitrine-gateway}")
HTTPWG=0.2.5
mkdir -p "$work"
[ -x "$program" ] || { echo "there is no $program: run \`make programs\`" >&2; exit 2; }

# Speed does not matter here, time to build does
grep -qsF "\"httpwg-cli $HTTPWG " "$work/.crates.toml" ||
  cargo install --quiet --debug --locked --root "$work" httpwg-cli --version $HTTPWG ||
  { echo "httpwg-cli could not be installed: cargo install httpwg-cli --version $HTTPWG" >&2; exit 2; }

ground=$(mktemp -d)
cleanup() {
  exec 9>&- || true
  wait 2>/dev/null || true
  rm -rf "$ground"
}
trap cleanup EXIT
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -outform DER 2>/dev/null |
  openssl pkcs8 -topk8 -nocrypt -inform DER -outform DER -out "$ground/key.der"
mkfifo "$ground/hold"
python3 "$here/ground.py" "$program" "$ground" <"$ground/hold" >"$ground/said" &
exec 9>"$ground/hold"
for _ in $(seq 400); do [ -s "$ground/said" ] && break; sleep 0.05; done
read -r two one <"$ground/said" || { echo "the gateway did not start: look at $program" >&2; exit 2; }

ask() { # port, file, more words
  SEQUENTIAL=1 RUST_LOG=off "$work/bin/httpwg" --address "127.0.0.1:$1" --connect-timeout 5000 --frame-timeout 5000 --verbose "${@:3}" \
    >"$work/$2" 2>&1 || true
}
ask "$two" httpwg.log
# A tool that cannot fail is worth nothing: HTTP/1.1 where it expects HTTP/2
ask "$one" control.log --filter "sends client connection preface"
exec 9>&-
wait
tail -n +2 "$ground/said" >"$work/upstream.json"
python3 "$here/judge.py" "$work" "$here/known.txt"
