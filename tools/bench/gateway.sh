#!/usr/bin/env bash
# The gateway beside Debian's nginx as a plain proxy with logging off: requests per second, latency, memory, as ratios.
#
# Both listen on loopback with TLS and an ECDSA P-256 key, keep connections to the same upstream (another nginx), have the same number of
# workers, and are called by wrk (HTTP/1.1) and h2load (HTTP/2) in turns. Nothing leaves the machine. Needs nginx-light, wrk,
# nghttp2-client, openssl, python3, no privilege; NGINX, WRK, H2LOAD and VITRINE_GATEWAY_BINARY name other ones.
#   tools/bench/gateway.sh [--json]      BENCH_SECONDS per run (5), BENCH_RUNS of each (3), BENCH_CONNECTIONS (32)
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
NGINX=${NGINX:-nginx} WRK=${WRK:-wrk} H2LOAD=${H2LOAD:-h2load}
SECONDS_EACH=${BENCH_SECONDS:-5} RUNS=${BENCH_RUNS:-3} CONNECTIONS=${BENCH_CONNECTIONS:-32}
GATEWAY=${VITRINE_GATEWAY_BINARY:-${CARGO_TARGET_DIR:-$PWD/target}/image-programs/vitrine-gateway}
GATEWAY=$(realpath "$GATEWAY")
JSON=${1:-}
WORKERS=$(($(nproc) < 4 ? $(nproc) : 4))
WORK=$(mktemp -d)
PIDS=()
cleanup() {
	exec 9>&- || true
	for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$WORK"
}
trap cleanup EXIT
# nginx called by root has workers of another user
chmod 755 "$WORK"
cd "$WORK"

openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der
openssl req -x509 -key key.pem -subj /CN=vitrine -days 2 -out cert.pem 2>/dev/null
head -c 1024 /dev/zero | tr '\0' x >small
head -c 1048576 /dev/zero | tr '\0' x >large
read -r UPSTREAM PROXY OURS < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*[s.getsockname()[1] for s in sockets])')

common() { # name, what is inside http
	cat <<-CONF
		daemon off; worker_processes $WORKERS; pid $WORK/$1.pid; error_log /dev/null crit;
		events { worker_connections 4096; }
		http {
		  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; default_type text/plain;
		  client_body_temp_path $WORK/t1; proxy_temp_path $WORK/t2; fastcgi_temp_path $WORK/t3; uwsgi_temp_path $WORK/t4; scgi_temp_path $WORK/t5;
		  $2
		}
	CONF
}
common upstream "server { listen 127.0.0.1:$UPSTREAM; location /v1/ { alias $WORK/; } }" >upstream.conf
common proxy "
  upstream u { server 127.0.0.1:$UPSTREAM; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:$PROXY ssl http2; ssl_certificate $WORK/cert.pem; ssl_certificate_key $WORK/key.pem; ssl_session_tickets off;
    location /v1/ { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off; proxy_request_buffering off; }
  }" >proxy.conf
for name in upstream proxy; do
	"$NGINX" -p "$WORK" -c "$WORK/$name.conf" 2>/dev/null &
	PIDS+=($!)
	declare "${name}_pid=$!"
done

# The gateway as init starts it: the line on descriptor 3, which stays open until our descriptor 9 is closed
cat >start.py <<'PY'
import base64, json, os, socket, sys
port, upstream, binary = int(sys.argv[1]), sys.argv[2], sys.argv[3]
start = {
    "gateway": {
        "port": port,
        "routes": [{"prefix": "/v1", "upstream": "u"}],
        "upstreams": {"u": {"addresses": [f"127.0.0.1:{upstream}"], "name": "localhost", "protocol": "plain"}},
    },
    "addresses": ["127.0.0.1"],
    "tls_key": base64.b64encode(open("key.der", "rb").read()).decode(),
}
ours, theirs = socket.socketpair()
child = os.fork()
if child == 0:
    os.dup2(theirs.fileno(), 3)
    os.execv(binary, [binary])
theirs.close()
ours.sendall(json.dumps(start).encode() + b"\n")
print(child, flush=True)
sys.stdin.read()
ours.close()
os.waitpid(child, 0)
PY
mkfifo hold
python3 start.py "$OURS" "$UPSTREAM" "$GATEWAY" <hold >gateway.pid &
PIDS+=($!)
exec 9>hold
answers() { curl -sk --max-time 2 -o /dev/null -w '%{http_code}' "https://127.0.0.1:$1/v1/small" 2>/dev/null; }
for port in "$PROXY" "$OURS"; do
	for _ in $(seq 200); do [ "$(answers "$port")" = 200 ] && break; sleep 0.05; done
	[ "$(answers "$port")" = 200 ] || { echo "nobody answers on $port" >&2; exit 2; }
done
gateway_pid=$(cat gateway.pid)

# Proportional memory of a process and its workers, KiB
memory() { # pid
	for pid in $1 $(pgrep -P "$1" || true); do awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup"; done | awk '{s += $1} END {print s}'
}
# Processor time of a process and its workers so far, seconds
processor() { # pid
	for pid in $1 $(pgrep -P "$1" || true); do cat "/proc/$pid/stat"; done | awk -v hz="$(getconf CLK_TCK)" '{s += $14 + $15} END {print s / hz}'
}
cat >report.lua <<'LUA'
done = function(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format("R %.1f %.0f %.0f %d\n", summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99), bad))
end
LUA
one() { # port, file: requests/s, p50 µs, p99 µs, errors
	"$WRK" -t "$WORKERS" -c "$CONNECTIONS" -d "${SECONDS_EACH}s" -s report.lua "https://127.0.0.1:$1/v1/$2" | awk '$1 == "R" {print $2, $3, $4, $5}'
}
two() { # port, file: requests/s, p50 and p99 are not among what h2load says; its mean instead, µs
	"$H2LOAD" -t "$WORKERS" -c "$CONNECTIONS" -m 8 -D "$SECONDS_EACH" "https://127.0.0.1:$1/v1/$2" 2>/dev/null | python3 -c '
import re, sys
text = sys.stdin.read()
rate = re.search(r"([\d.]+) req/s", text).group(1)
def us(word):
    number, unit = re.match(r"([\d.]+)(us|ms|s)", word).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
mean = us(re.search(r"time for request:\s+\S+\s+\S+\s+(\S+)", text).group(1))
bad = sum(map(int, re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text).groups()))
print(rate, mean, mean, bad)'
}
median() { sort -g | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}'; }

rows=()
# One run with the processor time for a request, µs, as the last column
measured() { # pid, how, port, file
	local before after line
	before=$(processor "$1")
	line=$("$2" "$3" "$4")
	after=$(processor "$1")
	echo "$line $before $after" | LC_ALL=C awk -v s="$SECONDS_EACH" '{print $1, $2, $3, $4, ($6 - $5) * 1e6 / ($1 * s)}'
}
compare() { # name, how, file
	local name=$1 how=$2 file=$3
	: >ours; : >theirs
	for _ in $(seq "$RUNS"); do
		measured "$gateway_pid" "$how" "$OURS" "$file" >>ours
		measured "$proxy_pid" "$how" "$PROXY" "$file" >>theirs
	done
	local values=()
	for column in 1 2 3 5; do
		for side in ours theirs; do values+=("$(cut -d' ' -f$column $side | median)"); done
	done
	local bad
	bad=$(awk '{s += $4} END {print s}' ours)
	rows+=("$name|${values[*]}|$bad")
}
compare "HTTP/1.1, 1 KiB" one small
compare "HTTP/1.1, 1 MiB" one large
compare "HTTP/2, 1 KiB" two small
ours_memory=$(memory "$gateway_pid")
theirs_memory=$(memory "$proxy_pid")
LOAD=$(cut -d' ' -f1 /proc/loadavg)
printf '%s\n' "${rows[@]}" | python3 -c '
import json, sys
rows, memory, load, asked = [], [int(x) for x in sys.argv[1:3]], sys.argv[3], sys.argv[4:]
for line in sys.stdin:
    name, values, bad = line.strip().split("|")
    v = [float(x) for x in values.split()]
    rows.append({"what": name, "requests_per_second": v[0], "nginx": v[1], "ratio": round(v[0] / v[1], 2), "p50_us": v[2], "p50_ratio": round(v[2] / v[3], 2),
                 "p99_us": v[4], "p99_ratio": round(v[4] / v[5], 2), "processor_us": v[6], "processor_ratio": round(v[6] / v[7], 2), "errors": int(bad)})
if asked == ["--json"]:
    print(json.dumps({"rows": rows, "memory_kib": memory[0], "nginx_memory_kib": memory[1], "load": float(load)}))
else:
    print("| what | requests/s | of nginx | p50 | of nginx | p99 | of nginx | processor time | of nginx | errors |\n|---|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        print("| {what} | {requests_per_second:.0f} | {ratio} | {p50_us:.0f} µs | {p50_ratio} | {p99_us:.0f} µs | {p99_ratio} | {processor_us:.0f} µs | {processor_ratio} | {errors} |".format(**r))
    print(f"memory after it: gateway {memory[0]} KiB, nginx {memory[1]} KiB ({memory[0] / memory[1]:.2f}); load {load}; HTTP/2: the mean in place of p50 and p99")
' "$ours_memory" "$theirs_memory" "$LOAD" $JSON
