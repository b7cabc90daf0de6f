#!/usr/bin/env python3
"""How much a request costs on its way through Quire, beside nginx doing the same.

nginx plays the model provider (it answers out of memory) and, as a second process, the reverse
proxy that Quire is measured by. Quire runs twice: by default (keys, routing, credits: a hold before
upstream and a settlement before the end, two commits that are synced to the disk), and "everything
on": with ten review rules of all kinds besides, on what goes in and on what comes out, that match
nothing. wrk loads each with one thread and 32 connections (how many requests) and with 1 (how long
one takes). All take turns, round by round, so that a machine that drifts does so for all, and
every figure is the median of its rounds. With them, each round, the disk: a 4 KiB append with
fdatasync, on the file system of Quire's data; two of them are the floor of a request. Figures are
shown beside what is wanted; missing a wish does not fail, a wrong answer does.

    ./dev bench path [--seconds 5] [--rounds 3] [--cases plain,stream,folded] [--profile] [--json]

Cases: `plain` (a whole answer), `stream` (server-sent events), `folded` (the client wants a whole
answer, the provider streams: what a real provider does when asked to).
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from disk import fdatasync_ms
from measure import MeasureError, check_answer, load, profile, request_body, resident_mb, threads
from nginx_process import WORDS, Nginx, NginxError
from quire_up import Quire, QuireError, config_for

ROOT = Path(__file__).resolve().parents[2]
BUSY, ALONE = 32, 1
STARTS = 5
SETTLE_SECONDS = 2
WARM_UP_SECONDS = 1
OTHERS_MAX = 0.1  # cores; above that the figures are of a machine that does something else too

# Case: what the mock answers, whether the client asks for a stream.
CASES = {"plain": ("plain", False), "stream": ("stream", True), "folded": ("stream", False)}
TITLES = {
    "plain": "Plain answers",
    "stream": "Streamed answers (20 chunks)",
    "folded": "Plain answers of a provider that streams (mock and proxy pass the stream on)",
}
PROFILE_KINDS = {
    "objects": "object",
    "library_calls": "call of the C library, with the kernel's work for it",
    "symbols": "function outside the kernel, without what it calls",
}
# Added at one connection: so many times the disk's fdatasync, and so much beside.
WANTED = {"ratio": 0.25, "ratio_hoped": 0.5, "added_syncs": 3, "added_ms": 0.3, "ready_ms": 300,
          "idle_mb": 60}
NAMES = {"mock": "mock alone", "nginx": "nginx proxy", "quire": "Quire", "full": "and review"}


def review_rules():
    """Ten, of every kind; they match nothing in what the load sends and gets."""
    def rule(name, kind, action="redact", **more):
        return {"name": name, "kind": kind, "action": action, **more}

    return [
        rule("cards", "pii.card"), rule("mail", "pii.email"), rule("iban", "pii.iban"),
        rule("keys", "secret.api_key", "block"),
        rule("ssn", "regex", pattern=r"\b\d{3}-\d{2}-\d{4}\b"),
        rule("phone", "regex", pattern=r"\+\d{1,3}[ -]\d{2,4}[ -]\d{3,8}"),
        rule("ticket", "regex", "flag", pattern=r"\bTICKET-\d{4,9}\b"),
        rule("ip", "regex", pattern=r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"),
        rule("code", "literal", values=["project bluebird", "operation nightfall"]),
        rule("insult", "literal", "block", values=["confounded nincompoop"]),
    ]


@dataclass
class Target:
    """A server under load."""
    name: str
    url: str
    pid: int
    mock_pid: int
    key: str = "none"


def targets_of(case, mock, proxy, quire, full):
    answer = CASES[case][0]
    path = f"/{answer}/v1/chat/completions"
    return [
        Target("mock", mock.url + path, mock.pid, mock.pid),
        Target("nginx", proxy.url + path, proxy.pid, mock.pid),
        *(Target(name, each.url + "/v1/chat/completions", each.pid, mock.pid, each.api_key)
          for name, each in (("quire", quire), ("full", full))),
    ]


def body_of(case):
    """The model's name picks the provider of the same name in Quire's configuration."""
    answer, stream = CASES[case]
    return request_body(answer, stream)


def measure_case(case, targets, folder, options, say):
    """Medians by target and number of connections."""
    body = body_of(case)
    for target in targets:
        streamed = check_answer(target, body, " ".join(WORDS))
        if target.key != "none" and streamed != CASES[case][1]:
            raise MeasureError(f"{target.name} answered {case} with the wrong media type")
        load(target, body, BUSY, WARM_UP_SECONDS)
    rounds, disk = {target.name: {BUSY: [], ALONE: []} for target in targets}, []
    for number in range(options.rounds):
        say(f"{case}: round {number + 1} of {options.rounds}")
        disk.append(fdatasync_ms(folder))
        for connections in (BUSY, ALONE):
            for place in range(len(targets)):
                target = targets[(place + number) % len(targets)]
                run = load(target, body, connections, options.seconds)
                rounds[target.name][connections].append(run)
    figures = {name: {"busy": medians(runs[BUSY]), "alone": medians(runs[ALONE])}
               for name, runs in rounds.items()}
    for of in figures.values():
        of["added_p50_ms"] = of["alone"]["p50_ms"] - figures["mock"]["alone"]["p50_ms"]
        of["ratio"] = of["busy"]["per_second"] / figures["nginx"]["busy"]["per_second"]
    return {**figures, "fdatasync_ms": medians(disk)}


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def measure_starts(options, config):
    """Time to the ready line on a new folder and on one that is there already, and idle memory."""
    first, again, memory = [], [], []
    for number in range(STARTS):
        with Quire(options.quire, config=config) as quire:
            first.append(quire.ready_seconds * 1e3)
            if number == 0:
                time.sleep(SETTLE_SECONDS)
                memory.append(resident_mb(quire.pid))
            quire.stop()
            quire.start()
            again.append(quire.ready_seconds * 1e3)
    return {"ready_first_ms": statistics.median(first), "ready_ms": statistics.median(again),
            "idle_mb": memory[0]}


def measure_profile(case, target, options):
    seconds = max(2, options.seconds)
    return profile(target.pid, seconds, lambda: load(target, body_of(case), BUSY, seconds))


def measure(options, say):
    report = {"wanted": WANTED, "cases": {}, "profiles": {}}
    with Nginx.mock() as mock, Nginx.proxy(mock.port) as proxy:
        answers = ("plain", "stream")
        config = config_for({answer: (f"{mock.url}/{answer}/v1", "mock") for answer in answers})
        say("starts")
        report["start"] = measure_starts(options, config)
        rules = review_rules()
        reviewed = config | {"review": {"default": {"input": rules, "output": rules}}}
        with (Quire(options.quire, config=config) as quire,
              Quire(options.quire, config=reviewed) as full):
            for case in options.cases:
                targets = targets_of(case, mock, proxy, quire, full)
                report["cases"][case] = measure_case(case, targets, quire.folder, options, say)
                if options.profile:
                    say(f"{case}: profile")
                    report["profiles"][case] = measure_profile(case, targets[-1], options)
            report["after_load_mb"] = [resident_mb(each.pid) for each in (quire, full)]
            report["threads"] = threads(quire.pid)
    return report


def row(name, values, wanted=""):
    cells = "".join(f"{value:>12}" for value in values)
    print(f"  {name:<34}{cells}   {wanted}".rstrip())


def print_case(case, figures):
    busy = [figures[name]["busy"] for name in NAMES]
    alone = [figures[name]["alone"] for name in NAMES]
    sync = figures["fdatasync_ms"]
    bound = WANTED["added_syncs"] * sync["p50"] + WANTED["added_ms"]
    print(f"\n{TITLES[case]}")
    row("", NAMES.values(), "wanted of Quire")
    row(f"requests/s, {BUSY} connections", [f"{run['per_second']:,.0f}" for run in busy])
    row("  as a share of the nginx proxy", ["", *shown(figures, "ratio", 2)],
        f">= {WANTED['ratio']} ({WANTED['ratio_hoped']} hoped for)")
    row(f"p50 / p99 ms, {BUSY} connections",
        [f"{run['p50_ms']:.2f}/{run['p99_ms']:.2f}" for run in busy])
    row("p50 ms, 1 connection", [f"{run['p50_ms']:.3f}" for run in alone])
    row("p99 ms, 1 connection", [f"{run['p99_ms']:.3f}" for run in alone])
    row("p50 added to the mock's, ms", ["", *shown(figures, "added_p50_ms", 3)],
        f"<= {bound:.2f}: {WANTED['added_syncs']} fdatasync + {WANTED['added_ms']}")
    row("CPU us per request, own process", [f"{run['cpu_us']:.1f}" for run in busy])
    row("the disk's fdatasync p50 / p99 ms", [f"{sync['p50']:.2f}/{sync['p99']:.2f}"])
    others = max(run["others"] for run in busy + alone)
    if others > OTHERS_MAX:
        print(f"  NOT TO BE TRUSTED: other programs kept {others:.1f} cores busy meanwhile")


def shown(figures, key, digits):
    """Of all but the mock."""
    return [f"{figures[name][key]:.{digits}f}" for name in NAMES if name != "mock"]


def print_report(report):
    for case, figures in report["cases"].items():
        print_case(case, figures)
    start = report["start"]
    print("\nStart and size of Quire")
    row("ready, new folder, ms", [f"{start['ready_first_ms']:.0f}"], f"<= {WANTED['ready_ms']}")
    row("ready, folder of before, ms", [f"{start['ready_ms']:.0f}"], f"<= {WANTED['ready_ms']}")
    row("resident memory when idle, MB", [f"{start['idle_mb']:.1f}"], f"<= {WANTED['idle_mb']}")
    row("resident after the load, MB", [f"{each:.1f}" for each in report["after_load_mb"]],
        "the second with review")
    row("threads (nginx: one process each)", [report["threads"]])
    for case, shares in report["profiles"].items():
        print(f"\nWhere the time goes, everything on: {TITLES[case]}, {BUSY} connections")
        for kind in PROFILE_KINDS:
            print(f"  by {PROFILE_KINDS[kind]}")
            for share in shares[kind]:
                print(f"    {share['share']:6.2f} %  {share['name'][:85]}")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    environment = os.environ.get
    parser.add_argument("--quire", type=Path, default=ROOT / "build/release/quire")
    parser.add_argument("--seconds", type=int, default=int(environment("BENCH_SECONDS", "5")),
                        help="of each run (BENCH_SECONDS, 5)")
    parser.add_argument("--rounds", type=int, default=int(environment("BENCH_ROUNDS", "3")),
                        help="of which the median counts (BENCH_ROUNDS, 3)")
    parser.add_argument("--cases", default="plain,stream,folded", type=lambda text: text.split(","))
    parser.add_argument("--profile", action="store_true", help="add perf's view of each case")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    unknown = [case for case in options.cases if case not in CASES]
    if unknown or options.seconds < 1 or options.rounds < 1:
        parser.error(f"cases are {', '.join(CASES)}; seconds and rounds at least 1")
    return options


def main():
    options = arguments()

    def say(what):
        print(f"bench path: {what}", file=sys.stderr, flush=True)

    try:
        report = measure(options, say)
    except (MeasureError, NginxError, QuireError) as error:
        sys.exit(f"bench path: {error}")
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print_report(report)


if __name__ == "__main__":
    main()
