import sys

sys.exit(f)
