"""What the acceptance programs share: a check that says what it looked at."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench"))  # where quire_up.py is


def check(what, holds, seen=None):
    """Prints the check; a failed one ends the program, with what was seen instead."""
    if not holds:
        sys.exit(f"  FAILED {what}" + ("" if seen is None else f"\n    saw: {seen!r}"))
    print(f"  ok {what}", flush=True)
