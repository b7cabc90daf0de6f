#!/usr/bin/env python3
"""How many transfers a second the ledger books, durably, beside SQLite doing the same statements.

`raw`: one thread, SQLite's C interface, the ledger's schema, pragmas and statements, and nothing
decided. `ledger`: the Ledger itself, one thread, holds and settlements in turn. `writer`: its
thread, under 256 coroutines on two loops, each a hold, its settlement, again. `paced`: the same at
5,000 pairs a second. A hold and a settlement are a transfer each; 10,000 organizations in turn
("spread"), or one ("hot"). `raw` and `ledger` take turns batch by batch, the others round by round,
on fresh copies of one store below build/ (the real disk); figures are medians of the rounds. "CPU"
is the process's time per transfer, which other programs disturb least. A wish missed does not fail.

    ./dev bench ledger [--seconds 0.5] [--rounds 5] [--json]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from disk import fdatasync_ms

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
BATCHES = (1, 16, 128, 256)
LOADS = ("spread", "hot")
WANTED = {"ratio": 0.6, "hot": 0.8, "per_second": 25_000, "p50_ms": 1, "p99_ms": 5}


def measure(options):
    build = ["ninja", "-C", str(BUILD), "--quiet", "ledger_bench"]
    if subprocess.run(build, stdout=sys.stderr).returncode != 0:
        sys.exit("ledger_bench does not compile")
    with tempfile.TemporaryDirectory(prefix="bench-ledger-", dir=ROOT / "build") as folder:
        disk = fdatasync_ms(Path(folder))
        command = [str(BUILD / "ledger_bench"), folder, str(options.seconds), str(options.rounds)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if run.returncode != 0:
            sys.exit("ledger_bench failed")
    rows = {}
    for line in run.stdout.splitlines():
        row = json.loads(line)
        rows.setdefault((row["what"], row["load"], row["batch"]), []).append(row)
    return disk, {key: medians(of) for key, of in rows.items()}


def medians(rows):
    keys = ("per_second", "cpu_us", "p50_ms", "p99_ms")
    return {key: statistics.median(row[key] for row in rows) for key in keys}


def cells(name, figures, raw=None, wanted=""):
    ratio = cpu = ""
    if raw is not None:
        ratio = f"{figures['per_second'] / raw['per_second']:.2f}"
        cpu = f"{raw['cpu_us'] / figures['cpu_us']:.2f}"
    waits = f"{figures['p50_ms']:.2f} / {figures['p99_ms']:.2f}"
    line = f"  {name:<34}{figures['per_second']:>13,.0f}{ratio:>10}"
    line += f"{figures['cpu_us']:>10.1f}{cpu:>8}{waits:>18}   {wanted}"
    print(line.rstrip())


def show(disk, figures):
    print(f"Transfers of the ledger; the disk's fdatasync p50 {disk['p50']:.2f}, "
          f"p99 {disk['p99']:.2f} ms; load average {os.getloadavg()[0]:.1f}")
    print(f"  {'':<34}{'transfers/s':>13}{'of raw':>10}{'CPU us':>10}{'of raw':>8}"
          f"{'p50 / p99 ms':>18}   wanted")
    for load in LOADS:
        print(f"\n  {load}: " + ("10,000 organizations" if load == "spread" else "one"))
        for batch in BATCHES:
            raw, ledger = (figures[what, load, batch] for what in ("raw", "ledger"))
            cells(f"raw SQLite, {batch} per commit", raw)
            cells(f"ledger, {batch} per commit", ledger, raw, f">= {WANTED['ratio']}")
        writer, paced = (figures[what, load, 256] for what in ("writer", "paced"))
        cells("writer, 256 coroutines (hold)", writer, figures["raw", load, 128],
              f">= {WANTED['per_second']:,}/s; raw of 128")
        cells("paced, 5,000 holds/s (hold)", paced, None,
              f"p50 < {WANTED['p50_ms']}, p99 < {WANTED['p99_ms']}")
    print()
    for what, batch in (("ledger", 128), ("ledger", 256), ("writer", 256)):
        hot, spread = (figures[what, load, batch]["per_second"] for load in ("hot", "spread"))
        print(f"  hot beside spread, {what} {batch}: {hot / spread:.2f}   wanted "
              f">= {WANTED['hot']}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each run")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    disk, figures = measure(options)
    if options.json:
        rows = [dict(zip(("what", "load", "batch"), key)) | of for key, of in figures.items()]
        print(json.dumps({"disk": disk, "rows": rows}))
    else:
        show(disk, figures)


if __name__ == "__main__":
    main()
