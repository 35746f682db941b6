#!/usr/bin/env python3
"""moto's S3 on 127.0.0.1, for tests: one request at a time (moto looks first and writes then, so alone it is no store for a log),
every signature checked by botocore, and faults where a test wants them. Prints its port; ends with its standard input.

GET /_control gives {"count", "hanging", "requests"}; POST /_control takes JSON:
  {"reset": true}                  begins to count requests anew, without faults
  {"faults": {"3": "after"}}       what happens to the third from now on
  {"every": "slow"}                what happens to each that has no fault of its own
  {"mode": "no-if-match"}          a store that is none (also no-if-none-match, no-etag, racy), or "" again
  {"release": true}                lets go what hangs
  {"put": "bucket/key", "base64": "..."}, {"get": "bucket/key"}, {"delete": "bucket/key"}, {"bucket": "name"}, {"empty": "name"}, {"list": "name"}
Faults:
  before, half, after, cut         the connection ends: nothing done; with half the request read; done; done, half the answer sent
  409, 412, 500, 503               this answer, and nothing is done; 500-after: this answer, and it is done
  slow                             a while later
  hang, hang-after                 no answer until released: nothing is done; it is done at once
  late                             no answer until released, and then it is done
"""
import base64
import hashlib
import hmac
import json
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import create_backend_app
from werkzeug.test import Client

ID, SECRET, TOKEN, REGION = "AKIDTEST", "a/secret+of+tests", "a-token-of-tests", "eu-test-1"
store = Client(create_backend_app("s3"))
one_at_a_time = threading.Lock()
let_go = threading.Condition()


class State:
    count, hanging, released, faults, every, mode, requests = 0, 0, 0, {}, "", "", []


def call(method, path, data=b"", headers=None):
    # moto refuses what nobody signed; whether it holds is looked at before
    headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={ID}/20000101/us-east-1/s3/aws4_request", **(headers or {})}
    return store.open("/" + path.lstrip("/"), method=method, data=data, headers=headers)


def refusal(status, code):
    return status, {"content-type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode()


def signed(handler, body):
    """What a store says of the signature, as botocore computes it. None: it holds."""
    given = dict((name.lower(), value) for name, value in handler.headers.items())
    if handler.command == "GET" and "authorization" not in given and "/private/" not in handler.path:
        return None  # a bucket that anybody may read
    try:
        scheme, words = given["authorization"].split(" ", 1)
        words = dict(word.strip().split("=", 1) for word in words.split(","))
        names = words["SignedHeaders"].split(";")
        who, day, region, service, end = words["Credential"].split("/")
    except (KeyError, ValueError):
        return refusal(403, "AccessDenied")
    if who != ID or given.get("x-amz-security-token") not in (None, TOKEN):
        return refusal(403, "InvalidAccessKeyId")
    if (region, service, end, scheme) != (REGION, "s3", "aws4_request", "AWS4-HMAC-SHA256"):
        return refusal(400, "AuthorizationHeaderMalformed")
    # a store refuses those that are sent and not signed
    if any(name.startswith("x-amz-") and name not in names for name in given) or "host" not in names:
        return refusal(403, "AccessDenied")
    if hashlib.sha256(body).hexdigest() != given["x-amz-content-sha256"]:
        return refusal(400, "XAmzContentSHA256Mismatch")
    request = AWSRequest(handler.command, f"http://{given['host']}{handler.path}", {name: given[name] for name in names})
    request.context["timestamp"] = given["x-amz-date"]
    judge = S3SigV4Auth(Credentials(ID, SECRET), "s3", REGION)
    text = judge.string_to_sign(request, judge.canonical_request(request))
    if not hmac.compare_digest(judge.signature(text, request), words["Signature"]) or day != given["x-amz-date"][:8]:
        return refusal(403, "SignatureDoesNotMatch")
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        if self.path == "/_control":
            return self.reply(*self.control(json.loads(self.rfile.read(length) or b"{}")))
        with let_go:
            State.count += 1
            fault = State.faults.get(str(State.count), State.every)
            State.requests.append(f"{self.command} {self.path}")
        if fault == "half":
            self.rfile.read(length // 2)
            return self.end()
        body = self.rfile.read(length)
        if fault in ("before", "hang"):
            return self.hang() if fault == "hang" else self.end()
        if fault == "slow":
            time.sleep(0.3)
        if fault in ("409", "412", "500", "503"):
            codes = {"409": "ConditionalRequestConflict", "412": "PreconditionFailed", "500": "InternalError", "503": "SlowDown"}
            return self.reply(*refusal(int(fault), codes[fault]))
        if fault == "late":
            self.hang()
        answer = signed(self, body) or self.carry_out(body)
        if fault == "hang-after":
            return self.hang()
        if fault in ("after", "late"):
            return self.end()
        if fault == "500-after":
            return self.reply(*refusal(500, "InternalError"))
        self.reply(*answer, cut=fault == "cut")

    def carry_out(self, body):
        kept = ("cache-control", "content-type", "if-match", "if-none-match")
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
        if State.mode in ("no-if-match", "no-if-none-match"):
            headers = {name: value for name, value in headers.items() if name.lower() != State.mode[3:]}
        if State.mode == "racy" and self.command == "PUT":
            # as many a store: looks, and writes a moment later
            with one_at_a_time:
                there = call("GET", self.path)
            condition = dict((name.lower(), value) for name, value in headers.items())
            if "if-none-match" in condition and there.status_code == 200:
                return refusal(412, "PreconditionFailed")
            if "if-match" in condition and there.headers.get("ETag") != condition["if-match"]:
                return refusal(412, "PreconditionFailed")
            time.sleep(0.02)
            headers = {name: value for name, value in headers.items() if not name.lower().startswith("if-")}
        with one_at_a_time:
            got = call(self.command, self.path, body, headers)
        more = {"content-type": got.headers.get("content-type", "text/plain")}
        if "ETag" in got.headers and State.mode != "no-etag":
            more["etag"] = got.headers["ETag"]
        return got.status_code, more, got.data

    def reply(self, status, headers, body, cut=False):
        head = f"HTTP/1.1 {status} -\r\ncontent-length: {len(body)}\r\n".encode()
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"
        whole = head + (b"" if self.command == "HEAD" else body)
        # inside the body, or where there is none inside the head
        self.wfile.write(whole[: len(head) + len(body) // 2 if body else len(head) // 2] if cut else whole)
        self.close_connection = self.close_connection or cut

    def end(self):
        self.close_connection = True

    def hang(self):
        with let_go:
            State.hanging += 1
            now = State.released
            let_go.notify_all()
            let_go.wait_for(lambda: State.released > now, timeout=60)
            State.hanging -= 1
        self.end()

    def control(self, wish):
        with let_go:
            if wish.get("reset"):
                State.count, State.faults, State.every, State.mode, State.requests = 0, {}, "", "", []
            State.faults.update(wish.get("faults", {}))
            State.every, State.mode = wish.get("every", State.every), wish.get("mode", State.mode)
            if wish.get("release"):
                State.released += 1
                let_go.notify_all()
        said = {"count": State.count, "hanging": State.hanging, "requests": State.requests}
        with one_at_a_time:
            if "bucket" in wish:
                call("PUT", wish["bucket"])
            if "empty" in wish:
                for name in self.names(wish["empty"]):
                    call("DELETE", f"{wish['empty']}/{name}")
            if "put" in wish:
                call("PUT", wish["put"], base64.b64decode(wish["base64"]))
            if "delete" in wish:
                call("DELETE", wish["delete"])
            if "get" in wish:
                got = call("GET", wish["get"])
                said["base64"] = base64.b64encode(got.data).decode() if got.status_code == 200 else None
                said["headers"] = dict(got.headers)
            if "list" in wish:
                said["list"] = self.names(wish["list"])
        return 200, {"content-type": "application/json"}, json.dumps(said).encode()

    def names(self, bucket):
        page = call("GET", f"{bucket}?list-type=2").data.decode()
        return [part.split("</Key>")[0] for part in page.split("<Key>")[1:]]


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # programs that end are what is tested
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


server = Server(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) == 2:  # a PEM file with certificate and key
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
