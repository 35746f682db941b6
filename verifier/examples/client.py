#!/usr/bin/env python3
"""Sends JSON to an API behind a gateway that was checked, and prints the answer as it comes.

    vitrine-verify proxy --to https://203.0.113.7 --policy policy.toml --ek-roots tpm-ca.pem &
    API_KEY=… python3 client.py http://127.0.0.1:8788/v1/chat/completions '{"stream":true}'

Standard library only. The proxy is on this machine, so plain HTTP to it leaves nothing open; it passes the
request on over TLS with the key that the server's TPM has vouched for, or answers 502 and sends nothing.
"""

import http.client
import os
import sys
import urllib.parse


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: client.py http://127.0.0.1:8788/PATH JSON", file=sys.stderr)
        return 2
    url, body = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2].encode()
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if key := os.environ.get("API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    path = url.path + (f"?{url.query}" if url.query else "")

    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=3600)
    connection.request("POST", path or "/", body, headers)
    answer = connection.getresponse()
    if answer.status >= 400:
        print(f"{answer.status}: {answer.read(4096).decode(errors='replace')}", file=sys.stderr)
        return 1
    try:
        # read1 gives what is there; read would wait for more
        while piece := answer.read1(65536):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        whole = not answer.length  # what is left of an answer with a length; None without
    except (http.client.IncompleteRead, OSError):
        whole = False
    if not whole:
        print("the answer broke off", file=sys.stderr)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
