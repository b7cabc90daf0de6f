#!/usr/bin/env python3
"""Runs the simulation of the credit ledger: many seeds, and with --mutants that it finds each
planted bug.

tests/sim/run.py [--seeds N] [--mutants] [--build FOLDER]
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from mutate import MUTANTS  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
MUTANT_SEEDS_MAX = 1000


def run(program, first, last, *options):
    command = [str(program), "--seeds", f"{first}..{last}", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def simulate(build, seeds, workers):
    """All seeds in as many processes as there are processors; whether they are clean."""
    jobs = min(os.cpu_count() or 1, seeds)
    bounds = [seeds * i // jobs for i in range(jobs + 1)]
    runs = list(workers.map(lambda i: run(build / "ledger_sim", bounds[i] + 1, bounds[i + 1]),
                            range(jobs)))
    for done in runs:
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="", end="")
            return False
    totals = {}
    for done in runs:
        for times, name in re.findall(r"^ *(\d+)  (.+)$", done.stdout, re.M):
            totals[name] = totals.get(name, 0) + int(times)
    for name, times in sorted(totals.items()):
        print(f"{times:>12}  {name}")
    rates = [float(rate) for done in runs
             for rate in re.findall(r"([\d.]+) seeds/s", done.stdout)]
    print(f"{seeds} seeds, 0 violations, {sum(rates):.0f} seeds/s")
    return True


def hunt(build, name):
    """(found, what to say of it)"""
    done = run(build / f"ledger_sim_{name}", 1, MUTANT_SEEDS_MAX, "--quiet")
    seed = re.search(r"^reproduce: \S+ --seed (\d+)", done.stdout, re.M)
    if done.returncode == 0 or not seed:
        return False, f"mutant {name}: not found in {MUTANT_SEEDS_MAX} seeds"
    violation = re.search(r"^violation: (.*)$", done.stdout, re.M)
    what = violation.group(1) if violation else done.stderr.strip() or "stopped"
    return True, f"mutant {name}: found by seed {seed.group(1)}: {what[:120]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    options = parser.parse_args()
    with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
        results = [simulate(options.build, options.seeds, workers)]
        if options.mutants:
            for found, what in workers.map(lambda name: hunt(options.build, name), MUTANTS):
                print(what)
                results.append(found)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
