#!/usr/bin/env bash
# test-zones.sh FOLDER
# A small name space for the VM tests, signed with throw-away keys: root/, tld/ and zones/ with the zone files of three
# name servers, and anchor: the root's DNSKEY as config.resolver.upstream.trust_anchors takes it.
#   good.vitrine    signed
#   bogus.vitrine   signed, then changed
#   plain.vitrine   not signed
#   silent.vitrine  its server never answers
# Every name under any.good.vitrine, any.bogus.vitrine and any.plain.vitrine exists.
set -euo pipefail
out=$1
rm -rf "$out"
mkdir -p "$out"/{keys,root,tld,zones}
cd "$out/keys"

head() { # head ORIGIN NAMESERVER ADDRESS
  printf '$ORIGIN %s\n$TTL 300\n@ SOA %s admin.%s 1 3600 600 864000 60\n@ NS %s\n%s A %s\n' "$1" "$2" "$2" "$2" "$2" "$3"
}

# sign NAME FILE: adds NAME's key to FILE and signs it, for ten years
sign() {
  local key
  key=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$1")
  cat "$key.key" >>"$2"
  ldns-signzone -e "$(date -u -d '+10 years' +%Y%m%d)" -i "$(date -u -d '-1 day' +%Y%m%d)" -f "$2.signed" "$2" "$key"
  mv "$2.signed" "$2"
  echo "$key"
}

zone() { # zone NAME
  head "$1." "ns.$1." 198.51.100.3
  printf 'www A 198.51.100.80\nwww AAAA 2001:db8:51::80\nads A 198.51.100.90\nother A 198.51.100.90\nalias CNAME www\n*.any A 198.51.100.80\n'
}

for name in good bogus plain; do zone "$name.vitrine" >"$out/zones/$name.vitrine.zone"; done
good=$(sign good.vitrine "$out/zones/good.vitrine.zone")
bogus=$(sign bogus.vitrine "$out/zones/bogus.vitrine.zone")
sed -i 's/^\(\(www\|\*\.any\)\.bogus\.vitrine\.\s.*\sA\s\+\)198\.51\.100\.80/\1198.51.100.90/' "$out/zones/bogus.vitrine.zone"

tld=$out/tld/vitrine.zone
{
  head vitrine. ns.vitrine. 198.51.100.2
  for name in good bogus plain; do printf '%s NS ns.%s\nns.%s A 198.51.100.3\n' "$name" "$name" "$name"; done
  printf 'silent NS ns.silent\nns.silent A 198.51.100.253\n'
  cat "$good.ds" "$bogus.ds"
} >"$tld"
vitrine=$(sign vitrine "$tld")

root=$out/root/root.zone
{
  head . ns.root-servers. 198.51.100.1
  printf 'vitrine. NS ns.vitrine.\nns.vitrine. A 198.51.100.2\n'
  cat "$vitrine.ds"
} >"$root"
key=$(sign . "$root")
sed -n 's/.*DNSKEY[[:space:]]*\([0-9]* [0-9]* [0-9]* [A-Za-z0-9+/=]*\).*/\1/p' "$key.key" >"$out/anchor"
rm -rf "$out/keys"
