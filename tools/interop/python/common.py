"""What the drivers of Python peers share: the folder and the stream of proofs, see attest/examples/interop."""

import base64
import pathlib
import struct
import sys

# A stream has a million proofs: of these sizes Python judges and writes all, others it leaves out
SIZES = {*range(1, 131), 255, 256, 257, 511, 512, 513, 1023, 1024, 1025}


def b64(data):
    return base64.b64encode(data).decode()


def entries(folder):
    return [base64.b64decode(line, validate=True) for line in (folder / "entries").read_text().splitlines()]


def roots(folder):
    lines = [line.split(" ") for line in (folder / "roots").read_text().splitlines()]
    assert [int(size) for size, _ in lines] == list(range(len(lines))), "roots: sizes"
    return [base64.b64decode(root, validate=True) for _, root in lines]


def keys(folder):
    return (folder / "keys").read_text().splitlines()


def put(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def record(kind, first, size, hashes):
    sys.stdout.buffer.write(struct.pack(">cHHB", kind, first, size, len(hashes)) + b"".join(hashes))


def records():
    """Kind, index or old size, size, hashes."""
    read = sys.stdin.buffer.read
    while (kind := read(1)) != b"e":
        if len(head := read(5)) != 5:
            raise ValueError("the stream of proofs is cut off")
        first, size, count = struct.unpack(">HHB", head)
        data = read(32 * count)
        if size in SIZES:
            yield kind, first, size, [data[at:at + 32] for at in range(0, len(data), 32)]
    read()


def judge_stream(holds, kinds):
    """`holds(kind, first, size, hashes)` for every proof of these kinds, and again with one bit spoilt."""
    counts, spoilt = dict.fromkeys(kinds, 0), 0
    for kind, first, size, hashes in records():
        if kind not in counts:
            continue
        if not holds(kind, first, size, hashes):
            raise ValueError(f"proof {kind} {first} {size} does not hold")
        counts[kind] += 1
        if hashes:
            bit = spoilt * 37 % (len(hashes) * 256)
            hashes[bit // 256] = flipped(hashes[bit // 256], bit % 256)
            if holds(kind, first, size, hashes):
                raise ValueError(f"proof {kind} {first} {size} holds with bit {bit} spoilt")
            spoilt += 1
    all_ = sum(SIZES)
    if any(count != all_ for count in counts.values()):
        raise ValueError(f"{counts} proofs, not {all_} of each")
    words = {b"i": "inclusion", b"c": "consistency"}
    return " and ".join(f"{all_} {words[kind]}" for kind in counts) + f" proofs of {len(SIZES)} sizes; {spoilt} spoilt refused"


def flipped(data, bit):
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


def refuses(holds, *arguments):
    """An exception is a refusal, too."""
    try:
        return not holds(*arguments)
    except Exception:  # whatever a peer raises at what it cannot read
        return True


def judge_files(folder, what, holds):
    """`holds(bytes)` for every file, and again with one bit of every byte spoilt."""
    files, refused, taken = sorted(folder.iterdir()), 0, 0
    if not files:
        raise FileNotFoundError(f"{folder}: nothing to judge")
    for file in files:
        data = file.read_bytes()
        if not holds(data):
            raise ValueError(f"{file}: refused")
        for at in range(len(data)):
            spoilt = flipped(data, at * 8 + at % 8)
            if refuses(holds, spoilt):
                refused += 1
            elif data[at + 1:at + 2] == b"=":
                taken += 1  # bits that base64 does not use
            else:
                raise ValueError(f"{file}: holds with byte {at} spoilt")
    return f"{len(files)} {what}; {refused} spoilt refused, {taken} in unused bits of base64 taken"


def judge_envelope(envelope, holds):
    """`holds(payload, signature, type)` as signed, and with one bit of every byte of payload or signature spoilt."""
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    if not holds(payload, signature, kind):
        raise ValueError("envelope: refused")
    bad = [(flipped(payload, at * 8 + at % 8), signature, kind) for at in range(len(payload))]
    bad += [(payload, flipped(signature, at * 8 + at % 8), kind) for at in range(len(signature))]
    bad.append((payload, signature, kind + "x"))
    for arguments in bad:
        if not refuses(holds, *arguments):
            raise ValueError("envelope: holds with a bit spoilt")
    return f"1 envelope; {len(bad)} spoilt refused"


def main(commands):
    """`write FOLDER`, `proofs FOLDER`, `judge WHAT FOLDER`."""
    command = commands.get(" ".join(sys.argv[1:-1]))
    if command is None:
        sys.exit("unknown arguments; known: " + ", ".join(commands))
    try:
        print(command(pathlib.Path(sys.argv[-1])))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except Exception as error:  # a refusal, whatever it is
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
