"""Driver of securesystemslib: DSSE envelopes."""

import hashlib
import json

import common
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey


def judge_dsse(folder):
    envelope = json.loads((folder / "envelope").read_bytes())
    digits = (folder / "envelope.key").read_text().strip()
    # it looks for keys by their id; ours is the key's SHA-256
    key = SSlibKey(hashlib.sha256(bytes.fromhex(digits)).hexdigest(), "ed25519", "ed25519", {"public": digits})

    def holds(payload, signature, kind):
        signatures = [{**envelope["signatures"][0], "sig": common.b64(signature)}]
        changed = {"payload": common.b64(payload), "payloadType": kind, "signatures": signatures}
        return len(Envelope.from_dict(changed).verify([key], 1)) == 1

    return common.judge_envelope(envelope, holds)


def write(folder):
    signer = CryptoSigner.generate_ed25519()
    envelope = Envelope(b'{"by":"securesystemslib"}', "application/vnd.in-toto+json", {})
    envelope.sign(signer)
    common.put(folder, "envelope", json.dumps(envelope.to_dict()))
    common.put(folder, "envelope.key", signer.public_key.keyval["public"])
    return "written"


common.main({"judge dsse": judge_dsse, "write": write})
