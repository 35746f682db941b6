#!/usr/bin/env python3
"""Where the time of one boot goes, measured, as a picture.

    tools/boot-chart.py record boot.tsv -- vitrine-qemu boot OUT --secure-boot KEYS/secure-boot.json --keep --json
    tools/boot-chart.py draw boot.tsv > docs/boot.svg
    tools/boot-chart.py table boot.tsv

OUT is a development image whose kernel talks: `loglevel=8 initcall_debug` on its command line, see docs/boot.md. A record has a
line for each line of the console: seconds since QEMU was started by the clock, seconds of processor time that QEMU has used, text.
Processor time is what the picture shows: it does not grow while other programs have the processor.
"""
import html
import os
import re
import subprocess
import sys
import threading
import time

# A stage ends with the first line that matches: name, pattern, colour. In the order of a boot.
STAGES = [
    ("firmware, until it starts the image", r"BdsDxe: starting Boot|EFI stub|Linux version", "#6b7280"),
    ("stub: load, measure and unpack the kernel", r"Linux version", "#1f4e9e"),
    ("kernel: memory, crypto self-tests, certificates", r"Unpacking initramfs|Trying to unpack rootfs", "#1b6e3c"),
    ("kernel: unpack the initramfs", r"Freeing initrd memory", "#7a5200"),
    ("kernel: the rest, until PID 1", r"Run /init as init process", "#4d7c0f"),
    ("PID 1: mounts, modules", r"wireguard: WireGuard .* loaded", "#b3261e"),
    ("PID 1: keys, TPM, firewall, tunnel", r"vitrine-init: serving", "#7e22ce"),
    ("the server answers", r"^answer ", "#0e7490"),
]


def processor_seconds(folder):
    """Of the QEMU whose disk lies in this folder."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if folder.encode() not in open(f"/proc/{pid}/cmdline", "rb").read():
                continue
            name, rest = open(f"/proc/{pid}/stat").read().rsplit(")", 1)
            if "qemu-system" in name:
                fields = rest.split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue
    return 0.0


def record(path, command):
    guest = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = {}

    def news():
        for line in guest.stderr:
            if kept := re.search(r"folder (\S+) will be kept", line):
                seen["folder"] = kept[1]
            if line.startswith("qemu-system"):
                seen["start"] = time.monotonic()
            sys.stderr.write(line)

    def answer():
        seen["answer"] = guest.stdout.readline().strip()

    threads = [threading.Thread(target=work, daemon=True) for work in (news, answer)]
    [thread.start() for thread in threads]
    offset, rest = 0, b""
    with open(path, "w") as out:
        while guest.poll() is None:
            time.sleep(0.01)
            if "start" not in seen or "folder" not in seen:
                continue
            over = "answer" in seen
            try:
                with open(os.path.join(seen["folder"], "console.log"), "rb") as console:
                    console.seek(offset)
                    new = console.read()
            except FileNotFoundError:
                continue
            if not new and not over:
                continue
            offset += len(new)
            *lines, rest = (rest + new).split(b"\n")
            stamp = f"{time.monotonic() - seen['start']:.3f}\t{processor_seconds(seen['folder']):.2f}"
            texts = [re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]|[\x00-\x1f]", "", line.decode("utf8", "replace")) for line in lines]
            texts += [f"answer {seen['answer']}"] if over else []
            out.writelines(f"{stamp}\t{text}\n" for text in texts)
            if over:
                break
    guest.send_signal(2)
    guest.wait()
    if "answer" not in seen:
        sys.exit("boot-chart: the server did not answer; the record ends with what it said last")


def read(path):
    """[(clock, processor, text)]"""
    rows = (line.rstrip("\n").split("\t", 2) for line in open(path))
    return [(float(clock), float(cpu), text) for clock, cpu, text in rows]


def stages(rows):
    """[(name, colour, begin, end)] in seconds of processor time. Lines of the kernel before its console are dated by its own clock."""
    found, begin, at = [], 0.0, 0
    for name, pattern, colour in STAGES:
        hit = next((n for n in range(at, len(rows)) if re.search(pattern, rows[n][2])), None)
        if hit is None:
            continue
        end = max(rows[hit][1], begin)
        found.append((name, colour, begin, end))
        begin, at = end, hit
    return found


def initcalls(rows, most=12):
    """The initcalls that took longest: [(milliseconds of the guest's clock, name)]"""
    pattern = r"initcall (\S+?)\+0x\S+(?: \[(\w+)\])? returned -?\d+ after (\d+) usecs"
    hits = (re.search(pattern, text) for _, _, text in rows)
    return sorted(((int(hit[3]) / 1000, hit[2] or hit[1]) for hit in hits if hit), reverse=True)[:most]


def draw(rows):
    found, slow = stages(rows), initcalls(rows)
    total = max(end for _, _, _, end in found)
    left, right, top, step = 300, 740, 60, 30
    height = top + step * len(found) + 70 + 20 * len(slow)
    x = lambda seconds: left + (right - left) * seconds / total
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="20" y="28" font-size="16">One boot, from power-on to the answer: {total:.1f} s of QEMU\'s processor time</text>',
    ]
    for number, (name, colour, begin, end) in enumerate(found):
        y = top + step * number
        out.append(f'<text x="{left - 10}" y="{y + 15}" text-anchor="end">{html.escape(name)}</text>')
        out.append(f'<rect x="{x(begin):.1f}" y="{y}" width="{max(x(end) - x(begin), 1):.1f}" height="20" fill="{colour}"/>')
        out.append(f'<text x="{x(end) + 5:.1f}" y="{y + 15}">{end - begin:.2f} s</text>')
    y = top + step * len(found) + 30
    if slow:
        out.append(f'<text x="20" y="{y}" font-size="14">The longest initcalls of the kernel and its modules, by the guest\'s clock</text>')
    for number, (milliseconds, name) in enumerate(slow, 1):
        line = y + 20 * number
        width = 300 * milliseconds / slow[0][0]
        out.append(f'<text x="{left - 10}" y="{line + 12}" text-anchor="end">{html.escape(name)}</text>')
        out.append(f'<rect x="{left}" y="{line}" width="{width:.1f}" height="14" fill="#9ca3af"/>')
        out.append(f'<text x="{left + width + 5:.1f}" y="{line + 12}">{milliseconds:.0f} ms</text>')
    return "\n".join([*out, "</svg>\n"])


def table(rows):
    lines = ["| stage | processor time |", "|---|---|"]
    lines += [f"| {name} | {end - begin:.2f} s |" for name, _, begin, end in stages(rows)]
    lines += ["", "| initcall | guest's clock |", "|---|---|"]
    return "\n".join(lines + [f"| `{name}` | {ms:.0f} ms |" for ms, name in initcalls(rows)]) + "\n"


def main():
    match sys.argv[1:]:
        case ["record", path, "--", *command] if command:
            record(path, command)
        case ["draw", path]:
            sys.stdout.write(draw(read(path)))
        case ["table", path]:
            sys.stdout.write(table(read(path)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
