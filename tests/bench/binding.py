#!/usr/bin/env python3
"""What a call between services costs: in one process, over the wire, and over libgrpc++.

Client and server are two processes, both on one core; a figure is the processor time of both ends
together, per call or per message, and the least of all rounds: whatever else the machine does
only adds to it. `unary`: one call at a time, and 32. `stream` and `two-way`: 32 at once, a
message each 5 ms. `request`: four unary calls, two streams of 40 messages and a two-way stream of
40, 64 at once, and the same with four messages in one. Calls carry a principal, a deadline and a
trace. `cancel`: from the caller's cancellation to the handler's, over 1,000 calls. Wanted is 1.5
times what the prototype cost on another machine; missing a wish does not fail. libgrpc++'s calls
block, a thread each, and carry no metadata; its column is empty where it is not installed.

    ./dev bench binding [--seconds 1] [--rounds 3] [--json]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from measure import resident_mb, threads

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
CORE = max(os.sched_getaffinity(0))
SLACK = 1.5
# What the prototype cost: microseconds direct, and over a Unix socket.
PROTOTYPE = {
    "unary_1": (0.114, 14), "unary_32": (None, 6.5), "stream": (0.023, 4.5),
    "two_way": (None, 6.5), "request": (None, 702), "request_coalesced": (None, 312),
}
OPEN_KIB = {"server_kib": 3.2, "client_kib": 2.9}
IDLE_MB, CANCEL_MS = 5.8, 20
TITLES = {
    "unary_1": "unary call", "unary_32": "unary call, 32 in flight",
    "stream": "streamed message, 32 streams", "two_way": "two-way message, 32 streams",
    "request": "a whole request, 64 at once", "request_coalesced": "the same, 4 messages in one",
}


def pinned():
    os.sched_setaffinity(0, {CORE})


def build():
    """Whether there is a libgrpc++ to measure."""
    command = ["ninja", "-C", str(BUILD), "--quiet"]
    if subprocess.run([*command, "binding_bench"], stdout=sys.stderr).returncode != 0:
        sys.exit("binding_bench does not compile")
    known = subprocess.run([*command, "-t", "query", "grpc_bench"], capture_output=True)
    return known.returncode == 0 and \
        subprocess.run([*command, "grpc_bench"], stdout=sys.stderr).returncode == 0


@contextmanager
def serving(program):
    """(the server's process, its addresses)"""
    with tempfile.TemporaryDirectory(prefix="bench-binding-") as folder:
        server = subprocess.Popen([BUILD / program, "serve", folder], text=True, preexec_fn=pinned,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            yield server, json.loads(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait(10)


def rows_of(program, *arguments):
    command = [BUILD / program, *(str(each) for each in arguments)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=pinned)
    if run.returncode != 0:
        sys.exit(f"{program} failed")
    return {row.pop("what"): row for row in map(json.loads, run.stdout.splitlines())}


def measure_round(has_grpc, seconds):
    """Fresh processes for each, so that none measures the memory of another."""
    found = {"direct": rows_of("binding_bench", "direct", seconds / 2)}
    for kind in ("unix", "port"):
        with serving("binding_bench") as (server, addresses):
            found["idle"] = {"server": {"mb": resident_mb(server.pid),
                                        "threads": threads(server.pid)}}
            found[kind] = rows_of("binding_bench", "call", addresses[kind], server.pid, seconds)
    if has_grpc:
        with serving("grpc_bench") as (server, addresses):
            found["grpc"] = rows_of("grpc_bench", "call", addresses["unix"], server.pid, seconds)
    return found


def least(rounds):
    """Of every figure; rates are of the round with the most."""
    return {kind: {what: {key: (max if key == "per_second" else min)(
        each[kind][what][key] for each in rounds) for key in row}
        for what, row in rows.items()} for kind, rows in rounds[0].items()}


def cost(figures, kind, what):
    row = figures.get(kind, {}).get(what)
    return row and row["client_us"] + row["server_us"]


def cell(value, digits=1):
    return f"{'' if value is None else f'{value:,.{digits}f}':>13}"


def show(figures):
    print(f"CPU of both ends in microseconds, pinned to core {CORE}; "
          f"load average {os.getloadavg()[0]:.1f}")
    print(f"  {'':<32}{'direct':>13}{'Unix socket':>13}{'TCP':>13}{'libgrpc++':>13}   wanted")
    for what, title in TITLES.items():
        direct, wire = (wish and wish * SLACK for wish in PROTOTYPE[what])
        wanted = f"<= {wire:,.1f}" + (f", direct <= {direct:.3f}" if direct else "")
        cells = cell(cost(figures, "direct", what), 3)
        cells += "".join(cell(cost(figures, kind, what)) for kind in ("unix", "port", "grpc"))
        print(f"  {title:<32}{cells}   {wanted}")
    for key, name in (("p50_us", "p50"), ("p99_us", "p99")):
        waits = "".join(cell(figures.get(kind, {}).get("unary_1", {}).get(key))
                        for kind in ("unix", "port", "grpc"))
        print(f"  {f'unary call, {name} us':<32}{'':>13}{waits}")
    show_sizes(figures)


def show_sizes(figures):
    for key, wish in OPEN_KIB.items():
        sizes = "".join(cell(figures[kind]["open"][key]) for kind in ("unix", "port"))
        print(f"  {f'open two-way stream, {key[:6]} KiB':<32}{'':>13}{sizes}{'':>13}   "
              f"<= {wish * SLACK:.1f}")
    idle = figures["idle"]["server"]
    print(f"  {'idle server, MB':<32}{'':>13}{cell(idle['mb'])}{'':>26}   "
          f"<= {IDLE_MB * SLACK:.1f}, {idle['threads']} threads")
    for name in ("p50", "p99", "max"):
        waits = "".join(cell(figures[kind]["cancel"][f"{name}_ms"], 2) for kind in ("unix", "port"))
        wanted = f"   < {CANCEL_MS}" if name == "p99" else ""
        print(f"  {f'cancel seen after, {name} ms':<32}{'':>13}{waits}{'':>13}{wanted}".rstrip())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of which the least counts")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    has_grpc = build()
    figures = least([measure_round(has_grpc, options.seconds) for _ in range(options.rounds)])
    if options.json:
        print(json.dumps(figures))
    else:
        show(figures)


if __name__ == "__main__":
    main()
