"""The sums of tools/suites.py: what each test framework says, and when a suite has failed."""

import contextlib
import io
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

import suites  # noqa: E402
from suites import Counts, Row, Suite  # noqa: E402


class Counting(unittest.TestCase):
    def test_gtest(self):
        text = ("[==========] 14 tests from 2 test suites ran. (3 ms total)\n"
                "[  PASSED  ] 11 tests.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] A.B\n"
                "[  FAILED  ] 2 tests, listed below:\n[  FAILED  ] A.C\n[  FAILED  ] A.D\n")
        self.assertEqual(Counts(11, 2, 1), suites.count_gtest(text))

    def test_pytest(self):
        for text, counts in (
                ("12 passed in 3.21s\n", Counts(12)),
                ("1 failed, 12 passed, 2 skipped, 3 deselected in 3.21s\n", Counts(12, 1, 2)),
                ("=== 1 failed, 3 passed, 1 warning, 2 errors in 61.21s (0:01:01) ===\n",
                 Counts(3, 3)),
                ("no tests ran in 0.01s\n", Counts()),
                ("a test printed: 5 passed\n", Counts())):
            self.assertEqual(counts, suites.count_pytest(text), text)

    def test_sum_line(self):
        text = "1000 seeds, 0 violations, 50 seeds/s\nmutant x: not found\n8 passed, 1 failed\n"
        self.assertEqual(Counts(8, 1), suites.count_sum_line(text))

    def test_unittest(self):
        for text, counts in (("Ran 37 tests in 1.6s\n\nOK\n", Counts(37)),
                             ("Ran 1 test in 1.6s\n\nOK (skipped=1)\n", Counts(0, 0, 1)),
                             ("Ran 9 tests in 1s\n\nFAILED (failures=1, errors=2, skipped=1)\n",
                              Counts(5, 3, 1))):
            self.assertEqual(counts, suites.count_unittest(text), text)

    def test_node(self):
        text = "# tests 8\n# suites 2\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n"
        self.assertEqual(Counts(5, 2, 1), suites.count_node(text))
        self.assertEqual(Counts(10, 4, 2), suites.count_node(text + text.replace("#", "\u2139")))


    def test_fuzz(self):
        text = "fuzz review: passed, 376052 executions\nfuzz sse: failed, see build/fuzz/sse.log\n"
        self.assertEqual(Counts(1, 1), suites.count_fuzz(text))
        self.assertEqual(Counts(0, 0, 1), suites.count_fuzz("fuzz all: skipped, there is none\n"))


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with mock.patch.object(suites, "ROOT", Path(folder.name)):
            self.runner = suites.Runner()

    def run_script(self, script, **options):
        suite = Suite("a suite", ["/bin/sh", "-c", script], suites.count_node, **options)
        with contextlib.redirect_stdout(io.StringIO()):
            self.runner.run(suite)
        return self.runner.rows[-1]

    def test_a_suite_passes(self):
        row = self.run_script('echo "# pass $N"', environment={"N": "3"})
        self.assertEqual((Counts(3), ""), (row.counts, row.note))
        self.assertEqual("# pass 3\n", (self.runner.logs / "a-suite.log").read_text())

    def test_each_way_to_fail_counts(self):
        for script, note in (("echo '# pass 3'; echo '# fail 2'; exit 1", "2 failed"),
                             ("echo '# pass 3'; exit 7", "exit status 7"),
                             ("echo '# pass 3'; kill -SEGV $$", "killed by SIGSEGV"),
                             ("true", "ran no test")):
            row = self.run_script(script)
            self.assertEqual(note, row.note)
            self.assertGreater(row.counts.failed, 0)

    def test_a_failed_preparation_is_a_failure(self):
        row = self.run_script("echo '# pass 1'", prepare=mock.Mock(side_effect=RuntimeError("no")))
        self.assertEqual((Counts(0, 1), "no"), (row.counts, row.note))

    def test_a_missing_program_is_a_failure(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.runner.run(Suite("gone", ["/nowhere/tests"], suites.count_gtest))
        self.assertEqual(1, self.runner.rows[-1].counts.failed)

    def test_what_hangs_is_ended(self):
        start = time.monotonic()
        with mock.patch.object(suites, "SUITE_SECONDS_MAX", 0.2):
            row = self.run_script("echo '# pass 1'; sleep 60")
        self.assertEqual("ended after 0.2 s", row.note)
        self.assertEqual(Counts(1, 1), row.counts)
        self.assertLess(time.monotonic() - start, 10)

    def test_what_is_left_behind_is_ended(self):
        start = time.monotonic()
        row = self.run_script("echo '# pass 1'; sleep 60 &")
        self.assertEqual("", row.note)
        self.assertLess(time.monotonic() - start, 10)

    def run_lanes(self, *lanes):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.runner.run_lanes(*([Suite(name, ["/bin/sh", "-c", script], suites.count_node)
                                     for name, script in lane] for lane in lanes))
        return [row.name for row in self.runner.rows], out.getvalue()

    def test_lanes_run_beside_each_other(self):
        folder = self.runner.logs
        meet = ("touch {}; for i in $(seq 500); do "
                "[ -e {} ] && echo '# pass 1' && exit; sleep .01; done")
        left, right = f"{folder}/left", f"{folder}/right"
        names, _ = self.run_lanes([("a", meet.format(left, right)), ("b", "echo '# pass 1'")],
                                  [("c", meet.format(right, left))])
        self.assertEqual({"a", "b", "c"}, set(names))
        self.assertLess(names.index("a"), names.index("b"))
        self.assertEqual([0, 0, 0], [row.counts.failed for row in self.runner.rows])

    def test_what_a_lane_writes_stays_together(self):
        lines = "for i in 1 2 3; do echo {0}; sleep .02; done; echo '# pass 1'"
        _, text = self.run_lanes([("a", lines.format("left"))], [("b", lines.format("right"))])
        self.assertIn("left\n" * 3, text)
        self.assertIn("right\n" * 3, text)

    def test_an_interrupt_ends_every_lane(self):
        start = time.monotonic()
        before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        with self.assertRaises(KeyboardInterrupt):
            self.run_lanes([("a", "sleep 60"), ("b", "sleep 60")], [("c", "sleep 60")])
        self.assertLess(time.monotonic() - start, 10)


class Summary(unittest.TestCase):
    def summarize(self, *counts):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = suites.summarize([Row("suite", each, 1.0) for each in counts])
        return status, out.getvalue().splitlines()[-1]

    def test_the_last_line_is_the_sum(self):
        self.assertEqual((0, "5 passed, 0 failed"), self.summarize(Counts(2), Counts(3, 0, 1)))
        self.assertEqual((1, "5 passed, 1 failed"), self.summarize(Counts(2), Counts(3, 1)))
        self.assertEqual((1, "0 passed, 0 failed"), self.summarize())


if __name__ == "__main__":
    unittest.main()
