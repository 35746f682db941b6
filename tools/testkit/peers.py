"""Which files of the adversary's test kit other programs accept. Called by peers.sh; writes a table to stdout.

Reads the kit from its description alone (attest/testkit/README.md, docs/formats/evidence.md), with none of our code.
Each program is asked what it is there for, and gets from the adversary what an adversary would give it: the attestation
key and the list of register values are not signed by anybody, so they are those that the adversary wants believed.
"""

import base64
import hashlib
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import tomllib

KIT = pathlib.Path(sys.argv[1])
KEYLIME = sys.argv[2:3] == ["keylime"]
REGISTERS = (4, 7, 9, 11, 12, 13, 14, 15)
# What a quote check looks at. Everything else (certificates, activation, statements, logs, hierarchy, attributes of the
# key) is other code in those projects, or nobody's.
QUOTE = re.compile(r"V02 (attest|signature|ak)-malformed|V0[5789] |V1[012345] ")
# Judged by whoever gives the key to a quote check: what kind of key it is, and where in the TPM it lives
NOT_CLAIMED = re.compile(r"V05|V07|V13")
# Sessions of other tables: the quote is right for what was measured; and batches, which are this protocol's own
ELSEWHERE = ("batch-", "genuine-batch", "log-", "sha256-bank", "relay-", "fuse-", "rotated-", "register-15-extended", "genuine-rotated")
# Here the list of registers says that 16 and 23 are 4 and 11
RELABELLED = {
    "registers-16-and-23-for-4-and-11": (1, (4, 11)),
    "registers-16-and-23-in-one-bank-four-times": (4, (4, 11)),
}


def sized(*fields):
    return b"".join(struct.pack(">H", len(field)) + field for field in fields)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Case:
    """One session, as far as a quote check needs it."""

    def __init__(self, listed):
        self.name, self.failures = listed["name"], listed.get("failures", [])
        self.exit = listed["exit"]
        session = json.loads((KIT / "cases" / f"{self.name}.json").read_bytes())
        self.nonce = bytes.fromhex(json.loads(base64.b64decode(session["m1"]))["nonce"])
        self.evidence = json.loads(base64.b64decode(session["m2"]))
        statement = KIT / listed.get("statement", "trust/release.dsse.json")
        release = json.loads(base64.b64decode(json.loads(statement.read_bytes())["payload"]))["predicate"]
        self.config = bytes.fromhex(release["config_digest"])
        self.predicted = {int(pcr): bytes.fromhex(value) for pcr, value in release["boot"]["pcrs"].items()}

    def binary(self, field):
        return base64.b64decode(self.evidence[field], validate=True)

    def keys(self):
        keys = self.evidence["keys"]
        return [base64.b64decode(keys[k]) for k in ("wg_pub", "channel_pub", "sign_pub")] + [
            bytes.fromhex(keys["tls_spki"])
        ]

    def extra_data(self):
        rotated = [
            struct.pack(">I", key["generation"]) + base64.b64decode(key["wg_pub"]) + base64.b64decode(key["signature"])
            for key in self.evidence.get("rotated", [])
        ]
        image = self.evidence["image_id"].encode()
        return sha256(sized(b"vitrine quote v2", self.nonce, *self.keys(), self.config, image, *rotated))

    def wanted(self):
        """The values that the person expects: the statement's, and PCR 15 from keys and configuration."""
        facts = b'{"block_devices":[],"modules_locked":true,"root_read_only":true,"swap":[]}'
        name = b"\x00\x0b" + sha256(self.binary("ak_pub"))
        domain, value = b"vitrine pcr15 v2", bytes(32)
        for fields in ((b"config", self.config), (b"keys", *self.keys(), name), (b"cap", sha256(facts))):
            value = sha256(value, sha256(sized(domain, *fields)))
        return {**self.predicted, 15: value}

    def claimed(self):
        """Banks, registers and values that the adversary lists; and those that the person wants to see."""
        wanted = self.wanted()
        banks, registers = RELABELLED.get(self.name, (1, REGISTERS))
        return banks, {pcr: wanted[pcr] for pcr in registers}


def pcr_file(banks, values):
    """The list of register values as tpm2_quote writes it: TPML_PCR_SELECTION and TPML_DIGESTs as in memory."""
    bitmap = bytes(sum(1 << pcr % 8 for pcr in values if pcr // 8 == byte) for byte in range(3))
    selection = struct.pack("<HB", 0x000B, 3) + bitmap + bytes(2)
    out = struct.pack("<I", banks) + selection * banks + bytes(8) * (16 - banks)
    digests = [values[pcr] for pcr in sorted(values)] * banks
    lists = [digests[at : at + 8] for at in range(0, len(digests), 8)]
    out += struct.pack("<I", len(lists))
    for chunk in lists:
        out += struct.pack("<I", len(chunk))
        out += b"".join(struct.pack("<H", 32) + digest + bytes(32) for digest in chunk)
        out += bytes(66) * (8 - len(chunk))
    return out


def tpm2_checkquote(case, folder):
    banks, values = case.claimed()
    files = {
        "ak": sized(case.binary("ak_pub")),
        "attest": case.binary("attest"),
        "signature": case.binary("signature"),
        "pcrs": pcr_file(banks, values),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    line = "tpm2_checkquote -u ak -m attest -s signature -f pcrs -g sha256 -q".split()
    return subprocess.run([*line, case.extra_data().hex()], cwd=folder, capture_output=True).returncode == 0


def keylime(case, _folder):
    """What keylime's verifier calls first for each quote; then the values have to be those of its tpm_policy."""
    from keylime.tpm.tpm_main import Tpm

    banks, values = case.claimed()
    b64 = lambda data: base64.b64encode(data).decode()
    quote = "r" + ":".join(map(b64, (case.binary("attest"), case.binary("signature"), pcr_file(banks, values))))
    key, nonce = b64(sized(case.binary("ak_pub"))), b64(case.extra_data())
    try:
        found, error = Tpm._tpm2_checkquote(key, quote, nonce, "sha256", False)
    except Exception:
        return False
    return not error and found == {pcr: value.hex() for pcr, value in values.items()}


def eventlog(log, folder):
    """The replayed SHA-256 values, or the word for how it ended."""
    (folder / "log").write_bytes(log)
    run = subprocess.run(["tpm2_eventlog", "log"], cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        return "crashes" if run.returncode < 0 else "refuses"
    bank = re.search(r"^  sha256:\n((?:    .*\n?)+)", run.stdout.split("\npcrs:", 1)[-1], re.M)
    lines = bank.group(1).splitlines() if bank else []
    return {int(line.split(":")[0]): line.split(":")[1].strip().lower() for line in lines}


def quotes(cases, folder):
    peers = [("`tpm2_checkquote`", tpm2_checkquote)] + ([("keylime", keylime)] if KEYLIME else [])
    rows, wrong = [], {name: 0 for name, _ in peers}
    for case in cases:
        told = [failure for failure in case.failures if QUOTE.match(failure)]
        elsewhere = case.name.startswith(ELSEWHERE) or any(re.match("V01|V2[013]", f) for f in case.failures)
        if elsewhere or (case.exit != 0 and not told):
            continue
        claimed = case.exit == 0 or not NOT_CLAIMED.match(told[0])
        answers = []
        for name, check in peers:
            accepted = check(case, folder)
            wrong[name] += accepted and claimed and case.exit != 0
            answers.append(("accepts" if claimed else "accepts, not claimed") if accepted else "refuses")
        rows.append(f"| {case.name} | {told[0] if told else 'accepts'} | {' | '.join(answers)} |")
    head = f"| file | vitrine-verify | {' | '.join(name for name, _ in peers)} |"
    return [head, "|---" * (2 + len(peers)) + "|", *rows], wrong


def logs(cases, folder):
    genuine = next(case for case in cases if case.name == "genuine")
    good = eventlog(genuine.binary("firmware_log"), folder)
    rows = ["| file | vitrine-verify | `tpm2_eventlog` |", "|---|---|---|"]
    for case in cases:
        told = [failure for failure in case.failures if failure[:3] in ("V18", "V19")]
        if not case.name.startswith(("log-", "sha256-bank", "firmware-log")):
            continue
        values = eventlog(case.binary("firmware_log"), folder)
        if isinstance(values, str):
            answer = values
        else:
            answer = "reads it, genuine values" if values == good else "reads it, other values"
        rows.append(f"| {case.name} | {told[0]} | {answer} |")
    return rows


def main():
    cases = []
    for listed in tomllib.loads((KIT / "cases.toml").read_text())["case"]:
        try:
            cases.append(Case(listed))
        except (ValueError, KeyError, RecursionError):
            continue  # nothing that another program could be given
    with tempfile.TemporaryDirectory() as name:
        table, wrong = quotes(cases, pathlib.Path(name))
        print("## Quotes\n")
        print("Defective, claimed, and accepted: " + ", ".join(f"{n} {count}" for n, count in wrong.items()) + ".\n")
        print("\n".join(table))
        print("\n## Logs\n")
        print("\n".join(logs(cases, pathlib.Path(name))))


if __name__ == "__main__":
    main()
