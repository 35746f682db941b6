from pathlib import Path

Path("x").read_text()
