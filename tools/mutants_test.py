#!/usr/bin/env python3
"""The planted bugs of tests/sim fit the sources; a text that is gone or ambiguous is refused."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/sim"))
import mutate  # noqa: E402


class Mutants(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.into = Path(folder.name)

    def test_each_fits_the_sources_and_changes_them(self):
        for name in mutate.MUTANTS:
            mutate.mutate(name, ROOT / "src", self.into)
            for path in mutate.sources(name):
                self.assertNotEqual((ROOT / "src" / path).read_text(),
                                    (self.into / path).read_text(), name)

    def test_a_text_that_is_not_there_once_is_refused(self):
        for text, times in (("", 0), ("guard guard", 2)):
            (self.into / "a.cpp").write_text(text)
            with mock.patch.dict(mutate.MUTANTS, {"planted": [("a.cpp", "guard", "")]}):
                with self.assertRaisesRegex(SystemExit, f"is {times} times in a.cpp"):
                    mutate.mutate("planted", self.into, self.into / "out")


if __name__ == "__main__":
    unittest.main()
