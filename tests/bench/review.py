#!/usr/bin/env python3
"""How fast review streams, and what it adds to each chunk.

A fresh stream per message of 2 KB, written in pieces of 16 bytes, on one core: with ten rules of
every kind, with one list of 500 literals, with no rule,
and with ten rules on text in other scripts. Beside it, in the same run: memcpy of
the same messages, and RE2::Set over each whole message. The stream must find what the whole text
does; figures are shown beside what is wanted, and missing a wish does not fail.

    ./dev bench review [--seconds 3] [--json]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WANTED = {"mb_per_second": 20, "p50_ns": 1e6, "p99_ns": 1e7, "held_p99": 64}
CASES = {"ten_rules": "10 rules", "literals_500": "500 literals", "no_rules": "no rule",
         "ten_rules_foreign": "10, not ASCII"}


def run(options):
    build = ["ninja", "-C", str(ROOT / "build/release"), "--quiet", "review_bench"]
    if subprocess.run(build, stdout=sys.stderr).returncode != 0:
        sys.exit("review_bench does not compile")
    command = [str(ROOT / "build/release/review_bench"), str(options.seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def row(name, values, wanted=""):
    print(f"  {name:<34}" + "".join(f"{value:>14}" for value in values) + f"   {wanted}".rstrip())


def show(figures):
    cases = [figures[case] for case in CASES]
    print("Review of streams, 16 bytes a write, a fresh stream per 2 KB, one core")
    row("", CASES.values(), "wanted")
    row("MB/s of processor time", [f"{case['mb_per_second']:.1f}" for case in cases],
        f">= {WANTED['mb_per_second']} with 10 rules")
    row("RE2::Set on whole messages, MB/s",
        [f"{case['re2_set_mb_per_second']:.1f}" for case in cases[:2]])
    row("delay per write p50, us", [f"{case['p50_ns'] / 1e3:.2f}" for case in cases], "<= 1000")
    row("delay per write p99, us", [f"{case['p99_ns'] / 1e3:.2f}" for case in cases], "<= 10000")
    row("bytes held back p99", [case["held_p99"] for case in cases],
        f"< {WANTED['held_p99']}")
    row("matches", [case["hits"] for case in cases])
    print(f"  memcpy of the same messages: {figures['memcpy_mb_per_second']:,.0f} MB/s")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="of each case")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    figures = run(options)
    if options.json:
        print(json.dumps(figures))
    else:
        show(figures)
    for case, name in CASES.items():
        if figures[case]["hits"] != figures[case]["whole_hits"]:
            sys.exit(f"{name}: the stream found {figures[case]['hits']} matches, "
                     f"the whole text has {figures[case]['whole_hits']}")


if __name__ == "__main__":
    main()
