import sys

sys.settrace(f)
