#!/usr/bin/env bash
# Other builders beside ours, on the same content and by turns: writing an archive, building an image for the same job, booting
# it. Called by `make bench`; the peers and their packages are kept below the target folder. Prints rows of a table.
#   BENCH_ROUNDS (3) of archives and boots, BENCH_PEER_ROUNDS (1) of whole builds; BENCH_PEERS: which of "archive build boot"
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(realpath "${CARGO_TARGET_DIR:-target}") kept=$(realpath "${CARGO_TARGET_DIR:-target}")/bench-peers here=tools/bench/peers
parts=${BENCH_PEERS:-archive build boot} rounds=${BENCH_ROUNDS:-3}
export BENCH_ROUNDS=$rounds
work=$(mktemp -d)
export XDG_STATE_HOME="$work/state" # not the person's memory of servers
trap 'rm -rf "$work"' EXIT
. $here/lib.sh
mkdir -p "$kept"

# ---- the peers
if ! [ -x "$kept/bin/3cpio" ]; then
  say "3cpio, from the registry"
  cargo install --locked --quiet threecpio --root "$kept"
fi
# No package has gen_init_cpio itself; the kernel's sources have
if ! [ -x "$kept/gen_init_cpio" ]; then
  source=$(apt-cache depends linux-source 2>/dev/null | sed -n 's/.*Depends: \(linux-source-[0-9.]*\)$/\1/p' | head -n 1)
  if [ -n "$source" ]; then
    say "gen_init_cpio, from $source"
    (cd "$work" && apt-get download -q "$source" >/dev/null 2>&1 && dpkg --fsys-tarfile "$source"_*.deb | tar -xO --wildcards "*/$source.tar.xz" |
      tar -xJ --strip-components=2 --wildcards '*/usr/gen_init_cpio.c')
    gcc -O2 -o "$kept/gen_init_cpio" "$work/gen_init_cpio.c"
    rm -f "$work"/*.deb
  else
    say "no gen_init_cpio: this machine's apt has no linux-source"
  fi
fi
export THREECPIO=$kept/bin/3cpio GEN_INIT_CPIO=
[ ! -x "$kept/gen_init_cpio" ] || GEN_INIT_CPIO=$kept/gen_init_cpio

# ---- our images, of packages in the store
export KEYS=$work/keys EXIT=$work/exit DEV=$work/dev
vitrine keygen --out "$KEYS" -q >/dev/null
for recipe in exit dev; do
  tools/build-image.sh "recipes/$recipe.toml" "$work/$recipe" "$KEYS" -q --set config.owner="$(cat "$KEYS/owner.pub")" >/dev/null
done
export LOCK=$work/exit.lock.toml
[ -e "$LOCK" ] || LOCK=$(realpath recipes/exit.lock.toml)

machine
echo
row "what" "median of $rounds rounds; of whole builds ${BENCH_PEER_ROUNDS:-1}"
row "---" "---"
if [[ " $parts " == *" archive "* ]]; then
  mkdir "$work/tree" "$work/archive"
  zstd -dcq "$EXIT/5-initramfs.cpio.zst" | (cd "$work/tree" && cpio -id --quiet --no-absolute-filenames)
  chmod -R u+w "$work/tree"
  $here/archive.sh "$work/tree" "$work/archive"
  rm -rf "$work/tree" "$work/archive"
fi
[[ " $parts " =~ " build "|" boot " ]] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  say "mkosi, mmdebstrap and dracut run as root only: not compared"
  exit 0
fi

# ---- Debian images for the same job
$here/store.sh "$kept/store" trixie ca-certificates apt systemd systemd-sysv systemd-boot-efi systemd-resolved libpam-systemd \
  udev dbus kmod linux-image-cloud-amd64 dracut zstd wireguard-tools nftables unbound dns-root-data iproute2
"$target/release/examples/bench_tunnel" conf 1 >"$work/users"
mkdir "$work/extra" "$work/build"
secret=$($here/job/lay-out.sh "$work/extra" "$work/users")
if [[ " $parts " == *" build "* ]]; then
  # a cache of its own: a cold build forgets what is derived
  vitrine vendor recipes/exit.toml --lock "$LOCK" --offline --out "$work/exit.tar" -q >/dev/null
  export VITRINE_CACHE=$work/cache
  vitrine build --from "$work/exit.tar" --unsigned --out "$work/once" -q >/dev/null
  rm -rf "$work/exit.tar" "$work/once"
  $here/build.sh "$kept/store" "$work/extra" "$work/build"
  unset VITRINE_CACHE
fi
[[ " $parts " == *" boot "* ]] || exit 0
[ -e "$work/build/mkosi.cpio.zst" ] || $here/mkosi.sh "$kept/store" "$work/extra" "$work/build/mkosi.cpio.zst" >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 1; }
say "a UKI of mkosi's image"
mkdir "$work/kernel" "$work/stub"
zstd -dcq "$work/build/mkosi.cpio.zst" | (cd "$work/kernel" && cpio -id --quiet --no-absolute-filenames 'boot/vmlinuz-*' './boot/vmlinuz-*')
dpkg -x "$kept"/store/mirror/pool/systemd-boot-efi_*.deb "$work/stub"
$here/uki.sh "$work/stub/usr/lib/systemd/boot/efi/linuxx64.efi.stub" "$work"/kernel/boot/vmlinuz-* "$work/build/mkosi.cpio.zst" \
  "rdinit=/sbin/init console=ttyS0 quiet audit=0 no_timer_check efi=noruntime" "$work/peer.unsigned.efi"
sbsign --key "$KEYS/db.key" --cert "$KEYS/db.crt" --output "$work/peer.efi" "$work/peer.unsigned.efi" 2>/dev/null
rm -rf "$work/build" "$work/kernel" "$work/peer.unsigned.efi"
row "image: ours, exit; Debian with mkosi" "$(LC_ALL=C awk -v a="$(stat -c %s "$EXIT/image.efi")" -v b="$(stat -c %s "$work/peer.efi")" \
  'BEGIN {printf "%.1f MB, %.1f MB: %.2f×", a / 1e6, b / 1e6, a / b}')"
$here/boot.sh "$work/peer.efi" "$secret"
