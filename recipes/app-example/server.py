"""Answers each request with its own body, piece by piece as it comes. Keeps nothing of it, and says nothing of it anywhere."""

import socket
import threading

PIECE = 64 * 1024
LONGEST_HEAD = 16 * 1024
PATIENCE = 60  # seconds without a byte
AT_ONCE = threading.BoundedSemaphore(32)
threading.stack_size(512 * 1024)  # stacks count against the limit of memory


def head(stream):
    """Method and headers of the next request; nothing when the client is gone."""
    first = stream.readline(LONGEST_HEAD).split()
    headers, left = {}, LONGEST_HEAD
    while first:
        line = stream.readline(left)
        left -= len(line)
        if not line.endswith(b"\r\n"):
            raise ValueError
        if line == b"\r\n":
            return first[0], headers
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip().lower()
    return None, headers


def exactly(stream, size):
    while size > 0:
        piece = stream.read1(min(PIECE, size))
        if not piece:
            raise ValueError
        size -= len(piece)
        yield piece


def body(stream, headers):
    """RFC 9112, section 6."""
    if headers.get(b"transfer-encoding") != b"chunked":
        yield from exactly(stream, int(headers.get(b"content-length", b"0")))
        return
    while size := int(stream.readline(LONGEST_HEAD).partition(b";")[0], 16):
        yield from exactly(stream, size)
        stream.readline(2)
    while stream.readline(LONGEST_HEAD).strip():
        continue


def answer(client, stream):
    method, headers = head(stream)
    if method is None:
        return False
    client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n")
    if method == b"HEAD":
        client.sendall(b"content-length: 0\r\n\r\n")
        return True
    client.sendall(b"transfer-encoding: chunked\r\n\r\n")
    for piece in body(stream, headers):
        client.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
    client.sendall(b"0\r\n\r\n")
    return headers.get(b"connection") != b"close"


def serve(client):
    try:
        with client, client.makefile("rb") as stream:
            client.settimeout(PATIENCE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while answer(client, stream):
                continue
    except (OSError, ValueError):
        return  # what was wrong with it is the client's secret
    finally:
        AT_ONCE.release()


with socket.create_server(("127.0.0.1", 8000), backlog=64) as listener:
    while AT_ONCE.acquire():
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
