#!/usr/bin/env bash
# dracut.sh TREE EXTRA OUT: an initramfs with the same tools by the Debian system's own dracut, in the folder TREE of
# such a system, without a network. It has what finds and mounts disks, too: that is what dracut is for.
set -euo pipefail
tree=$(realpath "$1") extra=$(realpath "$2") out=$(realpath -m "$3")
version=$(basename "$tree"/usr/lib/modules/*)
rm -rf "$tree/bench"
cp -a "$extra" "$tree/bench"
unshare --net --mount bash -c '
  for folder in proc sys dev; do mount --rbind "/$folder" "$1/$folder"; done
  exec chroot "$1" dracut --force --quiet --no-hostonly --compress "zstd -9 -T2 -q" --kver "$2" \
    --add-drivers "wireguard nf_tables nft_masq nft_ct nft_chain_nat virtio_net" \
    --install "wg wg-quick nft unbound ip" --include /bench / /bench.img' - "$tree" "$version"
mv "$tree/bench.img" "$out"
