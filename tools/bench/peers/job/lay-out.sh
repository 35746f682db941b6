#!/usr/bin/env bash
# lay-out.sh FOLDER PEERS: what makes a plain Debian system a VPN server, as an operator would set it up: networkd, wg-quick,
# nftables and unbound with their usual units. PEERS is a file of [Peer] sections; the server's key is made here, its
# secret printed.
set -euo pipefail
folder=$(realpath -m "$1") peers=$(realpath "$2")
cd "$(dirname "$0")"
etc=$folder/etc
wants=$etc/systemd/system/multi-user.target.wants
mkdir -p "$etc/systemd/network" "$etc/wireguard" "$etc/unbound/unbound.conf.d" "$etc/sysctl.d" "$wants" "$etc/systemd/system/sockets.target.wants"
secret=$(head -c 32 /dev/urandom | base64)
printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n' >"$etc/systemd/network/10-outer.network"
{ printf '[Interface]\nAddress = 10.66.0.1/16\nListenPort = 51820\nPrivateKey = %s\n' "$secret"; cat "$peers"; } >"$etc/wireguard/wg0.conf"
chmod 0600 "$etc/wireguard/wg0.conf"
{ printf '#!/usr/sbin/nft -f\nflush ruleset\n'; cat ../../../plain/plain.nft; } >"$etc/nftables.conf"
cp unbound.conf "$etc/unbound/unbound.conf.d/vpn.conf"
printf 'net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n' >"$etc/sysctl.d/90-vpn.conf"
cp wg-up.service "$etc/systemd/system/"
system=/usr/lib/systemd/system
for unit in systemd-networkd nftables unbound; do ln -sf "$system/$unit.service" "$wants/$unit.service"; done
ln -sf "$system/wg-quick@.service" "$wants/wg-quick@wg0.service"
ln -sf /etc/systemd/system/wg-up.service "$wants/wg-up.service"
ln -sf "$system/systemd-networkd.socket" "$etc/systemd/system/sockets.target.wants/systemd-networkd.socket"
ln -sf "$system/multi-user.target" "$etc/systemd/system/default.target"
echo "$secret"
