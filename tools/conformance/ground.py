#!/usr/bin/env python3
"""What the tool of `make conformance` is let loose on, all of it on loopback.

ground.py GATEWAY FOLDER: starts the gateway program as init does (a line on descriptor 3), an upstream that remembers each request, and
two doors to the gateway without TLS, which the tool does not speak: one says h2 inside, one http/1.1. Prints the two ports in a line, and when its input ends, what the upstream saw: JSON,
a number for each request line and beginning of a body. FOLDER has key.der, an ECDSA P-256 key.
"""

import base64
import collections
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

class Upstream(http.server.BaseHTTPRequestHandler):
    """200 with a hundred bytes, for everything."""

    protocol_version = "HTTP/1.1"
    seen = collections.Counter()

    def handle(self):
        try:
            super().handle()
        except OSError:
            # whoever asks goes when they have seen enough, and the gateway with them
            pass

    def handle_one_request(self):
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        try:
            body = self.body()
        except ValueError:
            # it was broken off, as some tests want it
            self.close_connection = True
            return
        self.seen[f"{self.requestline} | {body[:100]!r} of {len(body)}"] += 1
        self.send_response_only(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", "100")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"x" * 100)

    def body(self):
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                raise ValueError("broken off")
            return body
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        # the end of the last chunk
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


def listener():
    return socket.create_server(("127.0.0.1", 0), backlog=256)


def serve(sock, handle):
    """A thread for each connection."""

    def accept():
        while True:
            client, _ = sock.accept()
            threading.Thread(target=handle, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return sock.getsockname()[1]


class Https:
    """Follows a client's HTTP/2 frames (RFC 9113 §4.1) and changes one byte: `:scheme: http` (RFC 7541, static table, 6) to https (7).

    The tool believes that it speaks without TLS; a scheme that is not true would be refused each time. All else passes as it comes.
    """

    def __init__(self):
        self.left, self.head, self.place = 24, b"", None  # first the preface

    def follow(self, data):
        out = bytearray(data)
        for n, byte in enumerate(data):
            if self.left == 0:
                self.head += bytes([byte])
                if len(self.head) == 9:
                    self.left = int.from_bytes(self.head[:3], "big")
                    flags = self.head[4]
                    # the second byte of a block is the scheme's; padding and priority stand before the block
                    self.place = 1 + bool(flags & 8) + 5 * bool(flags & 32) if self.head[3] == 1 else None
                    self.head = b""
                continue
            self.left -= 1
            if self.place == 0 and byte == 0x86:
                out[n] = 0x87
            self.place = None if not self.place else self.place - 1
        return bytes(out)


def door(port, protocol):
    """Bytes from one side to the other, with TLS on the gateway's."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])

    def handle(client):
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        inside = context.wrap_socket(raw)
        change = Https().follow if protocol == "h2" else bytes
        threading.Thread(target=copy, args=(client, inside, change), daemon=True).start()
        copy(inside, client, bytes)

    return serve(listener(), handle)


def copy(source, target, change):
    """Until one of them ends; then both do. The last bytes of the gateway get through before."""
    try:
        while piece := source.recv(65536):
            target.sendall(change(piece))
    except OSError:
        pass
    for end in (target, source):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def gateway(program, folder, upstream):
    """The program, and init's end of its socket."""
    port = listener().getsockname()[1]
    start = {
        "gateway": {
            "port": port,
            "routes": [{"prefix": "/", "upstream": "u"}],
            "upstreams": {"u": {"addresses": [f"127.0.0.1:{upstream}"], "name": "localhost", "protocol": "plain"}},
        },
        "addresses": ["127.0.0.1"],
        "tls_key": base64.b64encode(open(f"{folder}/key.der", "rb").read()).decode(),
    }
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        os.dup2(theirs.fileno(), 3)
        os.execv(program, [program])
    theirs.close()
    ours.sendall(json.dumps(start).encode() + b"\n")
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return port, ours
        except OSError:
            time.sleep(0.05)
    sys.exit("the gateway does not listen")


def main():
    program, folder = sys.argv[1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    port, init = gateway(program, folder, server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(door(port, "h2"), door(port, "http/1.1"), flush=True)
    sys.stdin.read()
    init.close()
    print(json.dumps(Upstream.seen, indent=1))


main()
