"""OpenTimestamps with the usual library as the peer: python stamps.py WORK VITRINE-VERIFY CHECKPOINT

A calendar and a block of Bitcoin of our own: no network but this machine's. Prints a line for each thing that held, and ends
with 1 at the first that did not.
"""

import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from bitcoin.core import CBlock, CBlockHeader, CMutableTransaction, CMutableTxOut, CScript
from bitcoin.core.script import OP_RETURN
from opentimestamps.bitcoin import make_timestamp_from_block
from opentimestamps.core.notary import (
    BitcoinBlockHeaderAttestation,
    LitecoinBlockHeaderAttestation,
    PendingAttestation,
    UnknownAttestation,
    VerificationError,
)
from opentimestamps.core.op import OpAppend, OpPrepend, OpRIPEMD160, OpSHA256
from opentimestamps.core.serialize import (
    BytesDeserializationContext,
    BytesSerializationContext,
)
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

work, verify, checkpoint = sys.argv[1:4]
HEIGHT = 840000
TIME = 1763600000
content = open(checkpoint, "rb").read()
digest = hashlib.sha256(content).digest()


def place(name):
    return os.path.join(work, name)


def put(name, data):
    with open(place(name), "wb") as file:
        file.write(data)
    return place(name)


def get(name):
    with open(place(name), "rb") as file:
        return file.read()


def to_bytes(thing):
    context = BytesSerializationContext()
    thing.serialize(context)
    return context.getbytes()


def read(data):
    context = BytesDeserializationContext(data)
    file = DetachedTimestampFile.deserialize(context)
    context.assert_eof()
    return file


def ours(expected, *args):
    done = subprocess.run([verify, "anchor", *args], capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == expected, f"{args}: exit code {done.returncode}, not {expected}: {told}"
    return told


def check(expected, stamp, header, *args, of=checkpoint):
    return ours(expected, "ots-check", place(stamp), of, "--block-header", header, *args)


def block_with(commitment):
    """A block of five transactions, one of which has the commitment, and its header."""
    def transaction(script):
        return CMutableTransaction([], [CMutableTxOut(1, script)])

    scripts = [CScript([n]) for n in range(4)]
    scripts.insert(3, CScript([OP_RETURN, commitment]))
    block = CBlock(nVersion=4, nTime=TIME, nBits=0x1D00FFFF, vtx=[transaction(script) for script in scripts])
    fields = {"hashMerkleRoot": block.calc_merkle_root(), "nTime": TIME, "nBits": 0x1D00FFFF, "nVersion": 4}
    return CBlock(vtx=block.vtx, **fields), CBlockHeader(**fields)


def peer_accepts(data, header):
    """The peer's verdict: the time, or None."""
    try:
        file = read(data)
        if file.file_digest != digest:
            return None
        for message, attestation in file.timestamp.all_attestations():
            if isinstance(attestation, BitcoinBlockHeaderAttestation) and attestation.height == HEIGHT:
                try:
                    return attestation.verify_against_blockheader(message, header)
                except VerificationError:
                    pass
    except Exception:  # whatever the library says of bytes that it cannot read
        pass
    return None


asked = []


class Calendar(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        asked.append((self.path, body))
        stamp = Timestamp(body)
        last = stamp.ops.add(OpAppend(b"\x01" * 16)).ops.add(OpSHA256()).ops.add(OpPrepend(b"time")).ops.add(OpAppend(b"mac-mac-"))
        last.attestations.add(PendingAttestation(f"http://127.0.0.1:{self.server.server_port}"))
        answer = to_bytes(stamp)
        self.send_response(200 if self.path == "/digest" else 404)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def main():
    # without a network
    told = ours(0, "ots-export", checkpoint, "--calendar", "http://a.example/c", "--out", place("ours.ots"))
    data = get("ours.ots")
    file = read(data)
    [(commitment, attestation)] = file.timestamp.all_attestations()
    assert file.file_digest == digest and attestation == PendingAttestation("http://a.example/c")
    assert f"commitment {commitment.hex()}\n" in told and to_bytes(file) == data
    print(f"we write: {len(data)} bytes, which the peer reads and writes back the same")
    block, header = block_with(commitment)
    raw = put("header", header.serialize())
    assert "leads" in check(2, "ours.ots", raw), "a promise is no proof"

    # a calendar's answer to the commitment: into the block
    answer = make_timestamp_from_block(commitment, block, HEIGHT)
    ours(0, "ots-add", place("ours.ots"), put("answer", to_bytes(answer)))
    data = get("ours.ots")
    assert to_bytes(read(data)) == data and peer_accepts(data, header) == TIME
    assert "2025-11-20T00:53:20Z" in check(0, "ours.ots", raw, "--height", str(HEIGHT))
    check(0, "ours.ots", header.serialize().hex())
    print(f"we add an answer: {len(data)} bytes, the peer finds the same time in the header of the block")

    vectors = os.environ.get("ANCHORS_VECTORS")
    if vectors:
        for name, kept in [("checkpoint.ots", data), ("stamped", content), ("bitcoin-header", header.serialize())]:
            with open(os.path.join(vectors, name), "wb") as file:
                file.write(kept)

    # a calendar over HTTP
    server = HTTPServer(("127.0.0.1", 0), Calendar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    told = ours(0, "ots-export", checkpoint, "--calendar", url, "--post", url, "--out", place("posted.ots"))
    [(message, attestation)] = read(get("posted.ots")).timestamp.all_attestations()
    assert [path for path, _ in asked] == ["/digest"] and len(asked[0][1]) == 32
    assert attestation == PendingAttestation(url) and f"{url}/timestamp/{message.hex()}" in told
    posted, posted_header = block_with(hashlib.sha256(message).digest())
    way = Timestamp(message)
    way.ops.add(OpSHA256()).merge(make_timestamp_from_block(hashlib.sha256(message).digest(), posted, HEIGHT))
    check(2, "posted.ots", raw)
    ours(1, "ots-add", place("posted.ots"), put("answer", to_bytes(way)), "--commitment", "00")
    ours(0, "ots-add", place("posted.ots"), place("answer"), "--commitment", message.hex())
    assert peer_accepts(get("posted.ots"), posted_header) == TIME
    check(0, "posted.ots", put("posted.header", posted_header.serialize()), "--height", str(HEIGHT))
    ours(2, "ots-export", checkpoint, "--calendar", url, "--post", url + "/no", "--out", place("none.ots"))
    assert not os.path.exists(place("none.ots"))
    server.shutdown()
    print("a calendar over HTTP: asked, its answer kept, the way into a block added")

    # the peer writes: branches, attestations of other kinds, an operation that we do not compute
    theirs = DetachedTimestampFile(OpSHA256(), Timestamp(digest))
    theirs.timestamp.attestations.add(UnknownAttestation(b"whatever", b"it is"))
    theirs.timestamp.ops.add(OpRIPEMD160()).attestations.add(BitcoinBlockHeaderAttestation(HEIGHT))
    theirs.timestamp.ops.add(OpAppend(b"x")).attestations.add(LitecoinBlockHeaderAttestation(7))
    inner = theirs.timestamp.ops.add(OpAppend(b"nonce")).ops.add(OpSHA256())
    inner.attestations.add(PendingAttestation("https://b.example"))
    their_block, their_header = block_with(inner.msg)
    inner.merge(make_timestamp_from_block(inner.msg, their_block, HEIGHT))
    put("theirs.ots", to_bytes(theirs))
    their_raw = put("their.header", their_header.serialize())
    assert peer_accepts(get("theirs.ots"), their_header) == TIME
    check(0, "theirs.ots", their_raw, "--height", str(HEIGHT))
    check(0, "theirs.ots", raw, "--block-header", their_raw)
    print(f"they write: {len(get('theirs.ots'))} bytes with branches, which we judge as they do")

    # what has to be refused
    spoilt_header = bytearray(header.serialize())
    spoilt_header[40] ^= 1
    check(1, "ours.ots", bytes(spoilt_header).hex())
    check(1, "ours.ots", raw, "--height", str(HEIGHT + 1))
    check(1, "ours.ots", their_raw)
    check(2, "ours.ots", put("short", header.serialize()[:-1]))
    check(1, "ours.ots", raw, of=put("other", content.replace(b"\n\n", b"0\n\n", 1)))
    differ = 0
    for at in range(len(data)):
        spoilt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        put("spoilt.ots", spoilt)
        done = subprocess.run(
            [verify, "anchor", "ots-check", place("spoilt.ots"), checkpoint, "--block-header", raw, "--height", str(HEIGHT)],
            capture_output=True,
        )
        assert done.returncode != 0, f"byte {at} spoilt, and accepted"
        assert peer_accepts(spoilt, header) is None, f"byte {at} spoilt, and the peer accepts"
        differ += done.returncode == 2
    print(f"{len(data)} spoilt files refused by both, {differ} of them because nothing leads to Bitcoin any more")


try:
    main()
except AssertionError as error:
    print(f"stamps: {error or 'an assertion did not hold'}", file=sys.stderr)
    raise
