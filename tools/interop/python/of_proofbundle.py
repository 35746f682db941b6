"""Driver of proofbundle: checkpoints, cosignatures, proofs of a log with a quorum of witnesses, Merkle proofs, DSSE."""

import json

import common
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from proofbundle import checkpoint, dsse, merkle, tlogproof

ORIGIN, WITNESSES, TIME = "python.example/log", ["python.example/w1", "python.example/w2"], 1_763_600_000


def judge_notes(folder):
    log, *witnesses = common.keys(folder)

    def holds(data):
        result = checkpoint.verify_witnessed_checkpoint(
            data.decode(), log, witnesses, threshold=len(witnesses), expected_origin=log.split("+")[0])
        return result["ok"]

    return common.judge_files(folder / "notes", "notes", holds)


def judge_tlog_proofs(folder):
    log, *witnesses = common.keys(folder)
    entries, origin = common.entries(folder), log.split("+")[0]

    def verdict(text, entry, witnesses, threshold):
        return tlogproof.verify_tlog_proof(text, entry, log, witnesses, threshold=threshold, expected_origin=origin)["ok"]

    def holds(data):
        text = data.decode()
        return verdict(text, entries[tlogproof.parse_tlog_proof(text)["index"]], witnesses, len(witnesses))

    said = common.judge_files(folder / "tlog-proofs", "proofs of a log", holds)
    quorums = 0
    for file in (folder / "tlog-proofs").iterdir():
        text = file.read_text()
        entry = entries[tlogproof.parse_tlog_proof(text)["index"]]
        short = [(witnesses[:1], 2), (witnesses[:1] * 2, 2), (witnesses, 3), ([log], 1)]
        bad = [*((entry, *quorum) for quorum in short), (entry + b"x", witnesses, len(witnesses))]
        if any(not common.refuses(verdict, text, *arguments) for arguments in bad):
            raise ValueError(f"{file}: holds without its quorum, or for another entry")
        quorums += len(bad)
    extra = [file.read_bytes() for file in (folder / "extra").glob("*")]
    if not all(holds(data) and tlogproof.parse_tlog_proof(data.decode())["extra"] for data in extra):
        raise ValueError("a proof with an extra line does not hold")
    return f"{said}; {len(extra)} with extra; {quorums} short quorums and other entries refused"


def judge_proofs(folder):
    entries, roots = common.entries(folder), common.roots(folder)

    def holds(kind, first, size, hashes):
        if kind == b"i":
            return merkle.verify_inclusion(entries[first], first, size, hashes, roots[size])
        return merkle.verify_consistency(first, size, hashes, roots[first], roots[size])

    return common.judge_stream(holds, [b"i", b"c"])


def judge_dsse(folder):
    envelope = json.loads((folder / "envelope").read_bytes())
    key = bytes.fromhex((folder / "envelope.key").read_text().strip())

    def holds(payload, signature, kind):
        signatures = [{**envelope["signatures"][0], "sig": common.b64(signature)}]
        changed = {**envelope, "payload": common.b64(payload), "payloadType": kind, "signatures": signatures}
        return dsse.verify_envelope(changed, key, payload_type=envelope["payloadType"])

    return common.judge_envelope(envelope, holds)


def write(folder):
    entries = common.entries(folder)
    signers = [Ed25519PrivateKey.generate() for _ in range(4)]
    public = [signer.public_key().public_bytes_raw() for signer in signers]
    vkeys = [checkpoint.vkey(ORIGIN, public[0])] + [checkpoint.cosign_vkey(*pair) for pair in zip(WITNESSES, public[1:3])]
    common.put(folder, "keys", "".join(line + "\n" for line in vkeys))
    roots = [merkle.merkle_tree_hash(entries[:size]) for size in range(len(entries) + 1)]
    common.put(folder, "roots", "".join(f"{size} {common.b64(root)}\n" for size, root in enumerate(roots)))

    def note(size):
        signed = checkpoint.sign_checkpoint(ORIGIN, size, roots[size], signers[0], ORIGIN)
        for n, name in enumerate(WITNESSES, 1):
            signed = checkpoint.cosign_checkpoint(signed, signers[n], name, TIME + n)
        return signed

    for size in [0, 1, 2, 3, 255, 256, 257, 1000, 1025]:
        common.put(folder, f"notes/{size}", note(size))
    for index, size in [(0, 1), (0, 2), (1, 2), (2, 3), (255, 256), (256, 257), (511, 1000), (0, 1025), (1024, 1025)]:
        path = merkle.inclusion_proof(entries[:size], index)
        for where, extra in ("tlog-proofs", None), ("extra", b"told by another program"):
            proof = tlogproof.format_tlog_proof(index, path, note(size), extra=extra)
            common.put(folder, f"{where}/{index}-of-{size}", proof)
    envelope = dsse.sign_envelope(b'{"by":"proofbundle"}', signers[3], payload_type="application/vnd.in-toto+json")
    common.put(folder, "envelope", json.dumps(envelope))
    common.put(folder, "envelope.key", public[3].hex())
    return "written"


def proofs(folder):
    entries = common.entries(folder)
    for size in sorted(common.SIZES):
        # recursive and without memory of what it has hashed: of large trees one in 50
        for index in range(0, size, 50 if size > 130 else 1):
            common.record(b"i", index, size, merkle.inclusion_proof(entries[:size], index))
            common.record(b"c", index + 1, size, merkle.consistency_proof(entries[:size], index + 1))
    return "end"


common.main({"judge notes": judge_notes, "judge tlog-proofs": judge_tlog_proofs, "judge proofs": judge_proofs,
             "judge dsse": judge_dsse, "write": write, "proofs": proofs})
