"""Rows of the benchmark's table for one check, ours and the peers'. Called by verify.sh.

verify.py KIT keylime|without VERIFIER LOOP: the test kit's folder, whether keylime is asked, the program as shipped, and the loop in one process
(verifier/examples/bench_check.rs). Processor time is what the kernel counts for processes that have ended, in user and in
kernel mode, over many runs of each; runs of ours and of the peer alternate, so that both see the same load.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

KIT, VERIFIER, LOOP = sys.argv[1], *sys.argv[3:5]
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "testkit"))
import peers  # noqa: E402  the same way to ask other programs as the kit's table

ROUNDS, RUNS = 9, 40


def row(what, result):
    print(f"| {what:<52} | {result:<28} |", flush=True)


def cpu(line, folder):
    """Milliseconds of processor time of one run, the mean of some."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(RUNS):
        subprocess.run(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent * 1000 / RUNS


def memory(line, folder):
    """MiB, the largest resident set."""
    out = folder / "time"
    subprocess.run(["/usr/bin/time", "-f", "%M", "-o", out, *line], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return int(out.read_text()) / 1024


def wall(line, folder):
    begun = time.monotonic()
    for _ in range(RUNS):
        subprocess.run(line, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - begun) * 1000 / RUNS


def loop(mode):
    """Checks per second of processor time, the median of five runs of a second."""
    rates = [float(subprocess.check_output([LOOP, KIT, "1", mode])) for _ in range(5)]
    return statistics.median(rates)


def keylime(case):
    """Quote checks per second of processor time of keylime's first function, in one process."""
    begun, count = time.process_time(), 0
    while time.process_time() - begun < 2:
        if not peers.keylime(case, None):
            raise SystemExit("keylime refuses the genuine quote")
        count += 1
    return count / (time.process_time() - begun)


def main():
    kit = pathlib.Path(KIT).resolve()
    check = [VERIFIER, "check", kit / "cases/genuine.json", "--statement", kit / "trust/release.dsse.json"]
    check += ["--key", kit / "trust/release.pub", "--ek-roots", kit / "trust/ek-roots.pem"]
    genuine = peers.Case({"name": "genuine", "exit": 0})
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if not peers.tpm2_checkquote(genuine, folder):
            raise SystemExit("tpm2_checkquote refuses the genuine quote")
        # the files that it has just been given
        theirs = "tpm2_checkquote -u ak -m attest -s signature -f pcrs -g sha256 -q".split()
        theirs.append(genuine.extra_data().hex())
        remembering = [*check, "--state", folder / "state"]
        lines = {"ours": check, "state": remembering, "nothing": [VERIFIER, "--version"], "theirs": theirs}
        spent = {name: [] for name in lines}
        for _ in range(ROUNDS):
            for name, line in lines.items():
                spent[name].append(cpu(line, folder))
        ours, state, nothing, peer = (statistics.median(spent[name]) for name in ("ours", "state", "nothing", "theirs"))
        row("CPU of one whole check of saved messages", f"{ours:.2f} ms, of which {nothing:.2f} start the program")
        row("the same, remembered", f"{state:.2f} ms, {wall(remembering, folder):.1f} ms by the clock")
        row("memory of one whole check", f"{memory(check, folder):.1f} MiB")
        row("tpm2_checkquote, the quote alone", f"{peer:.2f} ms: 27 checks in {ours / peer:.2f}×")
        row("its memory", f"{memory(theirs, folder):.1f} MiB")
    cold, warm = loop("cold"), loop("warm")
    row("checks/s on one core, everything anew", f"{cold:,.0f} ({1000 / cold:.2f} ms)")
    row("checks/s on one core, statement and chain kept", f"{warm:,.0f} ({1000 / warm:.2f} ms)")
    row("vitrine-verify, static, stripped", f"{os.stat(VERIFIER).st_size / 1e6:.2f} MB")
    if peers.KEYLIME:
        rate = keylime(genuine)
        row("keylime's quote checks/s on one core", f"{rate:,.0f}: ours, whole, {warm / rate:.1f}×")
    else:
        row("keylime", "not here (KEYLIME_PYTHON)")


main()
