#!/usr/bin/env bash
# Builds, once, the images that all VM tests share: $CARGO_TARGET_DIR/vm/{keys,exit,dev}.
# Rebuilt from the cache when programs or recipes changed.
set -euo pipefail
cd "$(dirname "$0")/.."
vm=${CARGO_TARGET_DIR:-target}/vm
mkdir -p "$vm"
[ -e "$vm/keys/release.pub" ] || { rm -rf "$vm/keys"; vitrine keygen --out "$vm/keys"; }
owner=$(cat "$vm/keys/owner.pub")
for recipe in exit dev; do
  tools/build-image.sh "recipes/$recipe.toml" "$vm/$recipe" "$vm/keys" --set "config.owner=$owner"
done
