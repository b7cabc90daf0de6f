"""What the attacks share: the helpers of tests/support and a time limit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import quire_process  # noqa: E402
from time_limit import time_limit  # noqa: E402

LIMIT = 4 * 3600 if os.environ.get("QUIRE_SOAK") == "1" else 900


def pytest_collection_modifyitems() -> None:
    if not quire_process.binary().exists():
        raise pytest.UsageError(f"no binary at {quire_process.binary()}: build it, or set "
                                "QUIRE_BINARY")


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    with time_limit(LIMIT):
        yield
