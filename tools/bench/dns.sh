#!/bin/bash
# Answers per second of the resolver against Debian's unbound, on this machine, one thread each.
#
# Both recurse from the same signed test root on loopback (nsd), validate, and answer dnsperf. Nothing leaves the
# machine. Called by `make bench`, which has installed the tools and built ours. Needs no privilege.
#   tools/bench/dns.sh [--json]      BENCH_SECONDS per run (10), BENCH_NAMES (60000)
set -euo pipefail
cd "$(dirname "$0")/../.."
SECONDS_EACH=${BENCH_SECONDS:-10}
NAMES=${BENCH_NAMES:-60000}
JSON=${1:-}
PATH=$PATH:/usr/sbin
# The shipped program's code at native speed and free ports; `make bench` has built it
NATIVE=${CARGO_TARGET_DIR:-$PWD/target}/release/examples/native

WORK=$(mktemp -d)
PIDS=()
cleanup() {
	exec 9>&- || true
	for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$WORK"
}
trap cleanup EXIT
cd "$WORK"

# Addresses: the root on .1, org on .2, example.org on .3; port 5390 for all, and the two resolvers on .9
NET=127.77.3
PORT=5390
SOA='@ 3600 IN SOA ns hostmaster 1 3600 600 86400 60'
sign() { # zone file
	local key
	key=$(ldns-keygen -a ECDSAP256SHA256 -k "$1")
	# one key signs everything; the delegation names it
	ldns-signzone -o "$1" -f "$2.signed" "$2" "$key" >/dev/null
	grep -v '^;' "$key.key" >"$2.key"
	cp "$key.ds" "$2.ds"
}
{
	echo "$SOA"; echo "@ 3600 IN NS ns"; echo "ns 3600 IN A $NET.3"
	seq -f 'n%.0f 3600 IN A 192.0.2.1' 1 "$NAMES"
} >example
sign example.org. example
{
	echo "$SOA"; echo "@ 3600 IN NS ns"; echo "ns 3600 IN A $NET.2"
	echo "example 3600 IN NS ns.example"; echo "ns.example 3600 IN A $NET.3"; cat example.ds
} >org
sign org. org
{
	echo "${SOA}"; echo "@ 3600 IN NS ns"; echo "ns 3600 IN A $NET.1"
	echo "org. 3600 IN NS ns.org."; echo "ns.org. 3600 IN A $NET.2"; cat org.ds
} >root
sign . root

for zone in 1:.:root 2:org:org 3:example.org:example; do
	IFS=: read -r host name file <<<"$zone"
	cat >"nsd$host.conf" <<-CONF
		server:
		  ip-address: $NET.$host@$PORT
		  server-count: 1
		  username: ""
		  chroot: ""
		  zonesdir: "$WORK"
		  pidfile: "$WORK/nsd$host.pid"
		  xfrdfile: "$WORK/xfrd$host"
		  zonelistfile: "$WORK/list$host"
		  logfile: /dev/null
		  database: ""
		  rrl-ratelimit: 0
		remote-control:
		  control-enable: no
		zone:
		  name: "$name"
		  zonefile: "$file.signed"
	CONF
	nsd -d -c "nsd$host.conf" &
	PIDS+=($!)
done

# unbound: one thread, quiet, the same cache; "port" of authorities can only be set with stubs, so stub-zones name
# each zone's server: that spares unbound the walk from the root, which favours unbound
cat >unbound.conf <<CONF
server:
  interface: $NET.9@5391
  port: 5391
  access-control: 127.0.0.0/8 allow
  num-threads: 1
  do-not-query-localhost: no
  chroot: ""
  username: ""
  directory: "$WORK"
  pidfile: "$WORK/unbound.pid"
  use-syslog: no
  logfile: "/dev/null"
  verbosity: 0
  log-queries: no
  qname-minimisation: yes
  qname-minimisation-strict: yes
  minimal-responses: yes
  module-config: "validator iterator"
  trust-anchor-file: "$WORK/root.key"
  cache-max-ttl: 300
  rrset-cache-size: 128m
  msg-cache-size: 128m
  outgoing-range: 4096
  num-queries-per-thread: 2048
remote-control:
  control-enable: no
stub-zone:
  name: "."
  stub-addr: $NET.1@$PORT
stub-zone:
  name: "org."
  stub-addr: $NET.2@$PORT
stub-zone:
  name: "example.org."
  stub-addr: $NET.3@$PORT
CONF

start_unbound() { unbound -d -c unbound.conf & SERVER=$!; PIDS+=("$SERVER"); }
start_ours() {
	mkfifo "in$1"
	"$NATIVE" "$NET.9" 5391 "$PORT" "$NET.1" "$(awk '{ printf "%s %s %s ", $(NF-3), $(NF-2), $(NF-1); print $NF }' anchor)" <"in$1" &
	SERVER=$!
	PIDS+=("$SERVER")
	exec 9>"in$1"
}
sed 's/;.*//' root.key | head -1 >anchor

seq -f 'n%.0f.example.org A' 1 "$NAMES" | shuf --random-source=<(yes) >uncached.txt
head -1000 uncached.txt >cached.txt
first=$(head -1 cached.txt | cut -d' ' -f1)

ask() { dnsperf -s "$NET.9" -p 5391 -c 8 -q 200 -e "$@" 2>/dev/null; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$SERVER/status"; }
# User and system time so far, in ticks of 10 ms (proc_pid_stat(5)): others on the machine disturb it less than the rate
cpu() { awk '{ print $14 + $15 }' "/proc/$SERVER/stat"; }
measure() { # name: sets RESULT to "cached uncached rss cpu", the last in µs for each uncached answer
	"start_$1" "$2"
	for _ in $(seq 50); do
		drill -D -p 5391 "$first" "@$NET.9" 2>/dev/null | grep -q 'rcode: NOERROR.*' && break
		sleep 0.1
	done
	drill -D -p 5391 "$first" "@$NET.9" | grep -q 'flags:.* ad' || { echo "bench: $1 does not validate" >&2; exit 2; }
	local uncached cached out ticks
	# every name once: none is in memory
	ticks=$(cpu)
	out=$(ask -d uncached.txt -n 1)
	ticks=$(($(cpu) - ticks))
	uncached=$(awk '/Queries per second/ { print $4 }' <<<"$out")
	awk '/Queries lost/ { lost = $3 } /NOERROR/ { ok = $0 } END { if (lost > 0) print "bench: '"$1"' lost " lost " of the uncached" > "/dev/stderr" }' <<<"$out"
	grep -q 'SERVFAIL' <<<"$out" && echo "bench: $1: some uncached answers are SERVFAIL" >&2
	ask -d cached.txt -l 1 >/dev/null
	out=$(ask -d cached.txt -l "$SECONDS_EACH")
	cached=$(awk '/Queries per second/ { print $4 }' <<<"$out")
	grep -q 'SERVFAIL' <<<"$out" && { echo "bench: $1: cached answers are SERVFAIL" >&2; exit 2; }
	RESULT="$cached $uncached $(rss) $((ticks * 10000 / NAMES))"
	kill "$SERVER"
	wait "$SERVER" 2>/dev/null || true
	exec 9>&- || true
}
sleep 1
measure unbound x
read -r uc uu um up <<<"$RESULT"
measure ours 1
read -r oc ou om op <<<"$RESULT"
awk -v uc="$uc" -v uu="$uu" -v um="$um" -v oc="$oc" -v ou="$ou" -v om="$om" -v up="$up" -v op="$op" -v json="$JSON" -v names="$NAMES" 'BEGIN {
	if (json == "--json") {
		printf "{\"cached_ratio\":%.2f,\"uncached_ratio\":%.2f,\"rss_ratio\":%.2f,\"uncached_cpu_ratio\":%.2f,\"cached_qps\":%d,\"uncached_qps\":%d,\"rss_kib\":%d,\"uncached_cpu_us\":%d,\"unbound_cached_qps\":%d,\"unbound_uncached_qps\":%d,\"unbound_rss_kib\":%d,\"unbound_uncached_cpu_us\":%d}\n", oc/uc, ou/uu, om/um, op/up, oc, ou, om, op, uc, uu, um, up
		exit
	}
	printf "| %-52s | %-28s |\n", "DNS answers/s, cached", sprintf("%d, unbound %d: %.2f×", oc, uc, oc/uc)
	printf "| %-52s | %-28s |\n", "DNS answers/s, uncached, validated", sprintf("%d, unbound %d: %.2f×", ou, uu, ou/uu)
	printf "| %-52s | %-28s |\n", "CPU for an uncached answer", sprintf("%d µs, unbound %d: %.2f×", op, up, op/up)
	printf "| %-52s | %-28s |\n", "memory after " names " names", sprintf("%.1f MiB, unbound %.1f: %.2f×", om/1024, um/1024, om/um)
}'
