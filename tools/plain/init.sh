#!/usr/bin/busybox sh
# PID 1 of the plain server: what an operator's boot script does, with wg, nft, ip and, where it is there, unbound.
# /etc/plain.conf says its addresses: `outer`, `gateways`, `inner`. /etc/plain.wg has its key and its users.
bb=/usr/bin/busybox
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
. /etc/plain.conf
$bb mkdir -p /proc /sys /dev /run /tmp
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
while read -r module; do $bb insmod "$module"; done </etc/vitrine/modules
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad # its address can be used at once
for interface in /sys/class/net/*; do [ -e "$interface/device" ] && card=${interface##*/}; done
ip link set lo up
echo 0 >"/proc/sys/net/ipv6/conf/$card/accept_dad"
ip link set "$card" up
for address in $outer; do ip address add "$address" dev "$card"; done
for gateway in $gateways; do
  case $gateway in
  *:*) ip -6 route add default via "$gateway" ;;
  *) ip route add default via "$gateway" ;;
  esac
done
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
nft -f /etc/plain.nft
ip link add wg0 type wireguard
wg setconf wg0 /etc/plain.wg
for address in $inner; do ip address add "$address" dev wg0; done
ip link set wg0 mtu 1420 up
if [ -e /etc/unbound.conf ]; then
  echo "nobody:x:65534:65534::/:/bin/false" >/etc/passwd
  unbound -c /etc/unbound.conf
fi
echo ready
while :; do $bb sleep 3600; done
