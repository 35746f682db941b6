#!/usr/bin/env bash
# Builds, once, what all VM tests share: $CARGO_TARGET_DIR/vm/{keys,names} and the images exit, exit-metal, dev, systemd
# (as shipped), and server, dedicated, gateway, app, prove, prove-gateway, probe, saboteur, userland, enroller (qemu/tests/recipes). Rebuilt from the cache when
# programs or recipes changed.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
vm=$target/vm
mkdir -p "$vm"
[ -e "$vm/keys/release.pub" ] || { rm -rf "$vm/keys"; vitrine keygen --out "$vm/keys"; }
grep -qs 'any.*198.51.100.80' "$vm/names/zones/plain.vitrine.zone" || tools/test-zones.sh "$vm/names"
[ -e "$vm/upstream/ca.der.base64" ] || tools/test-ca.sh "$vm/upstream"
owner=$(cat "$vm/keys/owner.pub")
anchor=$(cat "$vm/names/anchor")

for recipe in exit exit-metal dev systemd; do
  tools/build-image.sh "recipes/$recipe.toml" "$vm/$recipe" "$vm/keys" --set "config.owner=$owner"
done

# image NAME LOCK …: a recipe of the tests, with the packages of a shipped one
image() {
  local name=$1 lock=recipes/$2.lock.toml
  shift 2
  [ ! -e "$vm/$(basename "$lock")" ] || lock=$vm/$(basename "$lock") # a fresh one, see build-image.sh
  local set=(--set "config.owner=$owner")
  [[ $name == *gateway || $name == app ]] || set+=(--set "config.resolver.upstream.trust_anchors=[\"$anchor\"]")
  vitrine build "qemu/tests/recipes/$name.toml" --lock "$lock" --out "$vm/$name" --keys "$vm/keys" "${set[@]}" "$@"
}
image server exit
image dedicated exit
image prove exit
mkdir -p "$vm/nosy"
rustc --edition 2021 -C opt-level=s -C panic=abort -C strip=symbols -C target-feature=+crt-static \
  -o "$vm/nosy/server" qemu/tests/recipes/files/nosy/main.rs
ca=$(cat "$vm/upstream/ca.der.base64")
for name in gateway prove-gateway; do
  image $name gateway --set "app.files=$(realpath "$vm/nosy")" --set "config.gateway.upstreams.api.trust=$ca" --set "config.gateway.upstreams.silent.trust=$ca" \
    --set "config.gateway.upstreams.stranger.trust=$ca"
done
image app app-example
image probe dev --programs "$target/probe-programs"
image saboteur exit --programs "$target/saboteur-programs"
# Its PID 1 is a script, and what writes variables is a file system; the path of that module has the kernel's version in it
lock=recipes/dev.lock.toml
[ ! -e "$vm/dev.lock.toml" ] || lock=$vm/dev.lock.toml
kernel=$(sed -n 's/^name = "linux-image-\([0-9].*\)"$/\1/p' "$lock")
reason="A test's writer of firmware variables, never published"
rustc --edition 2021 -C opt-level=s -C panic=abort -C strip=symbols -C target-feature=+crt-static \
  -o "$vm/unlock" qemu/tests/recipes/files/unlock.rs
files=$PWD/qemu/tests/recipes/files
image enroller dev --set image.budget="22 MB" --set "image.files={\"/enroller.sh\"=\"$files/enroller.sh\",\"/unlock\"=\"$(realpath "$vm/unlock")\"}" --set "waiver=[
  {rule=\"cmdline.init\",path=\"cmdline\",reason=\"$reason\"},
  {rule=\"module.file-system\",path=\"/usr/lib/modules/$kernel/kernel/fs/efivarfs/efivarfs.ko\",reason=\"$reason\"}]"
image userland systemd --programs "$target/probe-programs"
