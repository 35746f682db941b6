from pathlib import Path

Path("x").write_text(t)
