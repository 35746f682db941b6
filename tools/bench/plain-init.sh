#!/usr/bin/busybox sh
# PID 1 of the benchmark's peer: what an operator's boot script does on a plain Debian server, with wg, nft and ip.
bb=/usr/bin/busybox
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
$bb mkdir -p /proc /sys /dev /run /tmp
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
while read -r module; do $bb insmod "$module"; done </etc/vitrine/modules
for interface in /sys/class/net/*; do [ -e "$interface/device" ] && outer=${interface##*/}; done
ip link set lo up
ip link set "$outer" up
ip address add 203.0.113.15/24 dev "$outer"
ip route add default via 203.0.113.2
echo 1 >/proc/sys/net/ipv4/ip_forward
nft -f /etc/plain.nft
ip link add wg0 type wireguard
wg setconf wg0 /etc/plain.wg
ip address add 10.66.0.1/16 dev wg0
ip link set wg0 mtu 1420 up
echo ready
while :; do $bb sleep 3600; done
