#!/usr/bin/busybox sh
# PID 1 of the plain server: what an operator's boot script does, with wg, nft, ip and unbound. Its addresses are those of
# the proof's small Internet. /etc/plain.wg comes with the second archive that `vitrine-qemu prove --plain` makes.
bb=/usr/bin/busybox
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
$bb mkdir -p /proc /sys /dev /run /tmp
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
while read -r module; do $bb insmod "$module"; done </etc/vitrine/modules
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad # its address can be used at once
for interface in /sys/class/net/*; do [ -e "$interface/device" ] && outer=${interface##*/}; done
ip link set lo up
echo 0 >"/proc/sys/net/ipv6/conf/$outer/accept_dad"
ip link set "$outer" up
ip address add 203.0.113.10/24 dev "$outer"
ip address add 2001:db8:113:0:5054:ff:fe12:3456/64 dev "$outer"
ip route add default via 203.0.113.1
ip -6 route add default via 2001:db8:113::1
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
nft -f /etc/plain.nft
ip link add wg0 type wireguard
wg setconf wg0 /etc/plain.wg
ip address add 10.66.0.1/16 dev wg0
ip address add fd66::1/64 dev wg0
ip link set wg0 mtu 1420 up
echo "nobody:x:65534:65534::/:/bin/false" >/etc/passwd
unbound -c /etc/unbound.conf
echo ready
while :; do $bb sleep 3600; done
