"""The only place where tests wait: until something is so, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL = 0.005


def wait_until(holds: Callable[[], T], what: str, limit: float = 5.0, poll: float = POLL) -> T:
    """Polls until `holds` gives something true and returns it; fails with `what` at the limit."""
    end = time.monotonic() + limit
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s for: {what} (last: {value!r})")
        time.sleep(poll)


def wait_until_still(read: Callable[[], T], what: str, still: float = 0.5,
                     limit: float = 30.0) -> T:
    """Polls until `read` has given the same value for `still` seconds and returns it."""
    end = time.monotonic() + limit
    value, since = read(), time.monotonic()
    while time.monotonic() - since < still:
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s for {what} to come to rest (last: {value!r})")
        time.sleep(0.01)
        now = read()
        if now != value:
            value, since = now, time.monotonic()
    return value
