"""`flip.py OFFSET`: copies standard input, one bit of the byte at this offset spoilt."""

import sys

offset, out = int(sys.argv[1]), sys.stdout.buffer
data = bytearray(sys.stdin.buffer.read(offset + 1))
data[offset] ^= 1 << offset % 8
try:
    while data:
        out.write(data)
        data = sys.stdin.buffer.read(1 << 20)
    out.flush()
except BrokenPipeError:  # the judge has seen enough
    sys.stderr.close()
