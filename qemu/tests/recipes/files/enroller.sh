# PID 1 of the enroller. The boot disk has loader/credentials/<place>-<variable>-<attributes>.cred, such as 1-db-27.cred, each a
# signed update (UEFI 2.10 §8.2.2); they are written in the order of their places. It says of each what the firmware said.
bb=/usr/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
while read -r module; do $bb insmod "$module"; done </etc/vitrine/modules
$bb mount -t efivarfs vars /sys/firmware/efi/efivars
$bb chmod 0755 /unlock
cd /.extra/global_credentials
for file in *.cred; do
  name=${file#*-} attributes=${file##*-}
  name=${name%%-*} attributes=${attributes%.cred}
  case $name in
  PK | KEK) vendor=8be4df61-93ca-11d2-aa0d-00e098032b8c ;;
  *) vendor=d719b2cb-3d3a-4596-a3bc-dad00e67656f ;;
  esac
  variable=/sys/firmware/efi/efivars/$name-$vendor
  { printf "\\x$attributes\\0\\0\\0" && $bb cat "$file"; } >/update
  [ ! -e "$variable" ] || /unlock "$variable" || echo "enroller: $file is locked"
  # one write, or the kernel takes a part for the whole
  if $bb dd if=/update of="$variable" bs=1048576 2>/said; then answer=taken; else answer="refused: $($bb tail -n 1 /said)"; fi
  echo "enroller: $file $answer"
done
echo "enroller: done"
while :; do $bb sleep 3600; done
