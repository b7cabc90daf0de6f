"""What the disk itself takes to make something durable: the floor under every commit."""

import os
import time

WRITES = 500
BYTES = 4096


def fdatasync_ms(folder):
    """p50 and p99 in ms of a 4 KiB append with fdatasync, in a file of its own in `folder`."""
    path = folder / "fdatasync.probe"
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    waits = []
    try:
        for _ in range(WRITES):
            before = time.perf_counter()
            os.write(file, b"x" * BYTES)
            os.fdatasync(file)
            waits.append((time.perf_counter() - before) * 1e3)
    finally:
        os.close(file)
        path.unlink()
    waits.sort()
    return {"p50": waits[len(waits) // 2], "p99": waits[len(waits) * 99 // 100]}
