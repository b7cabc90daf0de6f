#!/usr/bin/env python3
"""Runs the test suites of `./dev test`, two at a time where one mostly waits, and sums them up.

tools/suites.py          all of them: also under sanitizers, with official SDKs, and what is slow
tools/suites.py --quick  release build: unit, contract, short end-to-end tests, gRPC's libraries,
                         templates, some seeds of the simulation

QUIRE_SOAK=1 lifts the time limits; the tests themselves read it for their full counts.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"  # Debian's, which has pytest
IS_SOAK = os.environ.get("QUIRE_SOAK") == "1"
SUITE_SECONDS_MAX = 12 * 3600 if IS_SOAK else 20 * 60
KILL_SECONDS = 10
SIM_SEEDS_QUICK = 60
SIM_SEEDS = 50_000 if IS_SOAK else 1000
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclass(frozen=True)
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Counts(self.passed + other.passed, self.failed + other.failed,
                      self.skipped + other.skipped)


def _sum(pattern, text):
    return sum(int(number) for number in re.findall(pattern, text, re.M))


def count_gtest(text):
    return Counts(_sum(r"^\[  PASSED  \] (\d+) tests?\.", text),
                  _sum(r"^\[  FAILED  \] (\d+) tests?, listed below", text),
                  _sum(r"^\[  SKIPPED \] (\d+) tests?, listed below", text))


def count_pytest(text):
    lines = re.findall(r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s.*$", text, re.M)
    summaries = "\n".join(lines)
    return Counts(_sum(r"(\d+) (?:passed|xfailed)\b", summaries),
                  _sum(r"(\d+) (?:failed|errors?|xpassed)\b", summaries),
                  _sum(r"(\d+) skipped\b", summaries))


def count_unittest(text):
    ran = _sum(r"^Ran (\d+) tests? in ", text)
    results = "\n".join(re.findall(r"^(?:OK|FAILED)(?: \(.*\))?$", text, re.M))
    failed = _sum(r"\b(?:failures|errors|unexpected successes)=(\d+)", results)
    skipped = _sum(r"\bskipped=(\d+)", results)
    return Counts(ran - failed - skipped, failed, skipped)


def count_node(text):
    return Counts(_sum(r"^(?:#|\u2139) pass (\d+)$", text),
                  _sum(r"^(?:#|\u2139) (?:fail|cancelled) (\d+)$", text),
                  _sum(r"^(?:#|\u2139) skipped (\d+)$", text))


def count_sum_line(text):
    return Counts(_sum(r"^(\d+) passed, \d+ failed$", text),
                  _sum(r"^\d+ passed, (\d+) failed$", text))


@dataclass(frozen=True)
class Suite:
    name: str
    command: list
    count: Callable
    environment: dict = field(default_factory=dict)
    prepare: Callable | None = None  # raises RuntimeError


@dataclass(frozen=True)
class Row:
    name: str
    counts: Counts
    seconds: float
    note: str = ""


class Runner:
    def __init__(self):
        self.rows = []
        self.logs = ROOT / "build/test-logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self._running = set()
        self._is_interrupted = False
        self._printing = threading.Lock()

    def build(self, preset):
        """Whether the preset compiles; a failure is a row of its own."""
        start = time.monotonic()
        built = subprocess.run([ROOT / "dev", "build", preset], cwd=ROOT)
        if built.returncode != 0:
            self.rows.append(Row(f"build {preset}", Counts(failed=1), time.monotonic() - start,
                                 "does not compile"))
        return built.returncode == 0

    def run(self, suite):
        """Runs it and shows what it writes as it goes."""
        self._run(suite, is_alone=True)

    def run_lanes(self, *lanes):
        """Runs the suites of each lane in order, and the lanes beside each other.

        What a suite writes is shown when it has ended.
        """
        threads = [threading.Thread(target=self._run_lane, args=(lane,), daemon=True)
                   for lane in lanes]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self._is_interrupted = True
            for process in list(self._running):
                end_group(process)
            for thread in threads:
                thread.join(KILL_SECONDS)
            raise

    def _run_lane(self, lane):
        for suite in lane:
            if not self._is_interrupted:
                self._run(suite, is_alone=False)

    def _run(self, suite, is_alone):
        headline(suite.name)
        start = time.monotonic()
        counts, note, text = Counts(), "", ""
        try:
            if suite.prepare:
                suite.prepare()
            status, text = self._execute(suite, is_alone)
            counts = suite.count(text)
            note = fault(status, counts)
        except (OSError, RuntimeError) as error:
            note = str(error)
        if note and counts.failed == 0:
            counts += Counts(failed=1)
        row = Row(suite.name, counts, time.monotonic() - start, note)
        with self._printing:
            self.rows.append(row)
            if not is_alone:
                sys.stdout.write(text)
            print(f"-- {suite.name}: {row.seconds:.0f} s{': ' + note if note else ''}", flush=True)

    def _execute(self, suite, is_shown):
        """(exit status or None when out of time, what it wrote)"""
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | suite.environment
        # A process group of its own: what the suite leaves running is ended with it.
        process = subprocess.Popen(suite.command, cwd=ROOT, env=environment, text=True,
                                   errors="replace", stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   process_group=0)
        self._running.add(process)
        written = []
        reader = threading.Thread(target=self._read, args=(suite, process, written, is_shown),
                                  daemon=True)
        reader.start()
        try:
            status = process.wait(SUITE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end_group(process)
            reader.join(KILL_SECONDS)
            self._running.discard(process)
        return status, "".join(written)

    def _read(self, suite, process, written, is_shown):
        name = re.sub(r"\W+", "-", suite.name).strip("-")
        with process.stdout as output, open(self.logs / f"{name}.log", "w") as log:
            for line in output:
                written.append(line)
                log.write(line)
                if is_shown:
                    sys.stdout.write(line)
                    sys.stdout.flush()


def fault(status, counts):
    """Why a suite failed, "" when it passed."""
    if status is None:
        return f"ended after {SUITE_SECONDS_MAX} s"
    if counts.failed:
        return f"{counts.failed} failed"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    if status != 0:
        return f"exit status {status}"
    return "" if counts.passed else "ran no test"


def end_group(process):
    """Ends what is left of the suite: a server it forgot, or itself at a Ctrl-C."""
    for kind, patience in ((signal.SIGTERM, KILL_SECONDS), (signal.SIGKILL, 1)):
        deadline = time.monotonic() + patience
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            return
        while time.monotonic() < deadline:
            process.poll()
            if not group_lives(process.pid):
                return
            time.sleep(0.05)


def group_lives(group):
    """Whether a process of the group runs. A zombie does not: in a container nobody may reap it."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False


def headline(name):
    print(f"\n== {name}", flush=True)


def install_npm(folder):
    """npm ci, when the lock file is another than the one installed last."""
    lock = folder / "package-lock.json"
    if not lock.exists():
        return
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / "node_modules/.quire-lock"
    if stamp.exists() and stamp.read_text() == digest:
        return
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=folder).returncode != 0:
        raise RuntimeError(f"npm ci failed in {folder.relative_to(ROOT)}")
    stamp.write_text(digest)


def gtest(name, preset, binary):
    sanitizers = SANITIZERS if preset != "release" else {}
    command = [str(ROOT / f"build/{preset}/{binary}"), "--gtest_brief=1", "--gtest_color=no"]
    return Suite(f"{name} ({preset})", command, count_gtest, sanitizers)


def end_to_end(preset, *, slow):
    """The end-to-end tests that take long, or the others."""
    environment = {"QUIRE_BINARY": str(ROOT / f"build/{preset}/quire")}
    if preset != "release":
        environment |= SANITIZERS
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-q", "tests/e2e",
               "-m", "slow" if slow else "not slow"]
    return Suite(f"e2e{' slow' if slow else ''} ({preset})", command, count_pytest, environment)


def faults():
    """kill -9 under load: 50 times, in a soak 500 times."""
    environment = {"QUIRE_BINARY": str(ROOT / "build/release/quire")}
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-q", "tests/faults"]
    return Suite("faults (release)", command, count_pytest, environment)


def templates(preset):
    """Prompt templates against jinja2: 3,000 random ones, in a soak 200,000."""
    environment = {"QUIRE_TEMPLATE_RENDER": str(ROOT / f"build/{preset}/template_render")}
    if preset != "release":
        environment |= SANITIZERS
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-q",
               "tests/templates"]
    return Suite(f"templates ({preset})", command, count_pytest, environment)


def interop(preset):
    """gRPC's library for Python against a process that serves the wire."""
    environment = {"QUIRE_WIRE_HOST": str(ROOT / f"build/{preset}/wire_host")}
    if preset != "release":
        environment |= SANITIZERS
    command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-q",
               "tests/interop"]
    return Suite(f"grpc python ({preset})", command, count_pytest, environment)


def tools():
    return Suite("tools", [PYTHON, "-m", "unittest", "discover", "-s", "tools", "-p", "*_test.py"],
                 count_unittest)


def compat():
    environment = {"QUIRE_BINARY": str(ROOT / "build/release/quire")}
    return Suite("compat", [str(ROOT / "tests/compat/run.sh")], count_node, environment,
                 lambda: install_npm(ROOT / "tests/compat"))


def sim(seeds, *options):
    """The ledger's simulation; what --mutants needs is built on demand."""
    command = [PYTHON, str(ROOT / "tests/sim/run.py"), "--seeds", str(seeds), *options]
    prepare = build_mutants if "--mutants" in options else None
    return Suite(f"sim (release, {seeds})", command, count_sum_line, prepare=prepare)


def build_mutants():
    command = ["ninja", "-C", str(ROOT / "build/release"), "--quiet", "sim_mutants"]
    if subprocess.run(command).returncode != 0:
        raise RuntimeError("the mutants of the simulation do not compile")


def count_fuzz(text):
    lines = re.findall(r"^fuzz \w+: (passed|failed|skipped)", text, re.M)
    return Counts(lines.count("passed"), lines.count("failed"), lines.count("skipped"))


def fuzz():
    return Suite("fuzz", [str(ROOT / "tests/fuzz/run.sh"), "60"], count_fuzz)


def run_quick(runner):
    runner.run(tools())
    if not runner.build("release"):
        return
    runner.run_lanes([end_to_end("release", slow=False)],
                     [*parts("release"), sim(SIM_SEEDS_QUICK)])


def parts(preset):
    """What is tested below whole processes. It keeps a core busy; the rest mostly waits."""
    return [gtest("unit", preset, "unit_tests"), gtest("contract", preset, "contract_tests"),
            gtest("interop", preset, "interop_tests"), interop(preset),
            gtest("sim parts", preset, "sim_tests"), templates(preset)]


def run_more(runner):
    runner.run_lanes([faults()], [compat()])
    runner.run(sim(SIM_SEEDS, "--mutants"))
    if runner.build("dev"):
        runner.run_lanes([end_to_end("dev", slow=False)],
                         [*parts("dev"), end_to_end("dev", slow=True)])
    if runner.build("tsan"):
        runner.run(gtest("races", "tsan", "tsan_tests"))
    if IS_SOAK and shutil.which("clang++-14"):
        runner.run(fuzz())


def summarize(rows):
    """Prints the table, and as the last line the sum alone; the exit status."""
    total = sum((row.counts for row in rows), Counts())
    print(f"\n{'suite':<20}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for row in rows:
        print(f"{row.name:<20}{row.counts.passed:>8}{row.counts.failed:>8}{row.counts.skipped:>9}"
              f"{row.seconds:>9.0f}  {row.note}".rstrip())
    print(f"logs: {(ROOT / 'build/test-logs').relative_to(ROOT)}\n")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed or not total.passed else 0


def main(arguments):
    if arguments not in ([], ["--quick"]):
        print(f"{__doc__.strip()}\n\nno such argument: {' '.join(arguments)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runner = Runner()
    try:
        run_quick(runner)
        if not arguments:
            run_more(runner)
    except KeyboardInterrupt:
        print("\ninterrupted")
        summarize(runner.rows)
        return 130
    return summarize(runner.rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
