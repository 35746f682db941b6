#!/usr/bin/env python3
"""What httpwg said, beside what is known: judge.py FOLDER KNOWN.

KNOWN has a line for each test that does not pass, with the reason behind `#`; one that passes or not as the packets fall begins with
`?`. Exit code 0: as known; 1: a test more, or one that passes now, or the upstream saw what was no whole request of the tool; 2: the tool
said nothing, or passes what cannot pass.
"""

import json
import re
import sys
from pathlib import Path


def cannot(words):
    print(words, file=sys.stderr)
    sys.exit(2)


def tests(log):
    text = log.read_text(errors="replace")
    began, passed, failed = [set(re.findall(rf"{word}: (.+)", text)) for word in ("Running test", "Test passed", "Test failed")]
    # the tool's own `unwrap`, where it waits for a frame: it prints why, and no result
    return passed, failed | (began - passed)


work, known = Path(sys.argv[1]), Path(sys.argv[2])
passed, failed = tests(work / "httpwg.log")
if not passed:
    cannot(f"httpwg said nothing: look at {work}/httpwg.log")
control = work / "control.log"
if tests(control)[0] or "Holding 1 connections" not in control.read_text(errors="replace"):
    cannot(f"httpwg was not asked, or is content with HTTP/1.1: look at {control}")
total = re.search(r"Passed [^0-9]*(?:\x1b\[[0-9;]*m)?\d+/(\d+)", (work / "httpwg.log").read_text(errors="replace"))
if not total or int(total[1]) != len(passed) + len(failed):
    cannot(f"httpwg did not end, or counts other tests than it names: look at {work}/httpwg.log")
lines = {line.split("#")[0].strip() for line in known.read_text().splitlines()} - {""}
either = {line[1:].strip() for line in lines if line.startswith("?")}
expected = {line for line in lines if not line.startswith("?")}
wrong = [f"fails: {test}" for test in sorted(failed - expected - either)]
wrong += [f"passes, or is not there; take it out of {known.name}: {test}" for test in sorted(expected - failed)]
print(f"httpwg: {len(passed)} of {len(passed) + len(failed)} tests pass; {len(failed)} do not, {len(failed & (expected | either))} of them known")

seen = json.loads((work / "upstream.json").read_text())
print(f"the upstream saw {sum(seen.values())} requests of {len(seen)} kinds")
for request in seen:
    line, body = request.split(" | ", 1)
    if not re.fullmatch(r"(GET|POST|HEAD|OPTIONS) / HTTP/1\.1", line) or "HTTP/1" in body:
        wrong.append(f"the upstream saw {request}")
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
