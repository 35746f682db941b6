#!/usr/bin/env bash
# The main job, from a recipe to a verdict. Called by `make demo`, which has built the programs.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${VITRINE_DEMO:-out/demo}
rm -rf "$out"
mkdir -p "$out"

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

say "Keys: release, owner, Secure Boot"
vitrine keygen --out "$out/keys"

say "Image: recipes/exit.toml from its lock of hashed Debian packages"
tools/build-image.sh recipes/exit.toml "$out/exit" "$out/keys" --set "config.owner=$(cat "$out/keys/owner.pub")"

say "Boot, tunnel, verdict, and three refusals"
vitrine-qemu demo --out "$out/exit" --keys "$out/keys"
