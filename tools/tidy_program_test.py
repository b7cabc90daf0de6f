"""tools/tidy.py as a program, on a git repository of its own."""

import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import lengths  # noqa: E402


class Program(unittest.TestCase):
    """The program itself, on a git repository of its own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)
        subprocess.run(["git", "init", "-q", self.root], check=True)
        here = Path(__file__).parent
        for source in (here / "tidy.py", *sorted((here / "tidy").glob("*.py"))):
            self.write("tools/" + str(source.relative_to(here)), source.read_text())
        self.write(".gitignore", "build/\n__pycache__/\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run_tidy(self, *arguments):
        command = [sys.executable, self.root / "tools/tidy.py", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.root)

    def test_clean_is_zero_and_silent(self):
        self.write("build/a.cpp", "std::regex r;\n")
        self.write("tests/compat/node_modules/x/lib/A-b.cpp", "std::regex r;\n")
        run = self.run_tidy()
        self.assertEqual(("", "", 0), (run.stdout, run.stderr, run.returncode))

    def test_a_finding_is_one_line_and_one(self):
        self.write("src/base/a.cpp", "\nstd::regex r;\n")
        self.write("src/base/b.cpp", "std::regex r;\n")
        run = self.run_tidy("src/base/a.cpp")
        self.assertEqual(1, run.returncode)
        self.assertRegex(run.stdout, r"\Asrc/base/a.cpp:2: ban: `std::regex`: [^\n]+\n\Z")
        self.assertEqual(2, len(self.run_tidy().stdout.splitlines()))

    def test_an_unknown_file_is_said(self):
        run = self.run_tidy("src/gone.cpp")
        self.assertEqual(2, run.returncode)
        self.assertIn("src/gone.cpp", run.stderr)

    def test_update_ratchet_writes_what_is_needed_now(self):
        self.write(lengths.RATCHET, '{"src/a.cpp": {"file_lines": 700}}')
        self.write("src/a.cpp", "int x;\n" * 650)
        self.assertEqual(0, self.run_tidy("--update-ratchet").returncode)
        self.assertEqual('{\n  "src/a.cpp": {\n    "file_lines": 650\n  }\n}\n',
                         (self.root / lengths.RATCHET).read_text())

    def test_three_hundred_files_do_not_take_minutes(self):
        body = ("awaitable<int> f{0}(A& a) {{\n    const auto x = co_await g(a);\n"
                "    co_return x;\n}}\n")
        text = '#include "base/x.hpp"\n' + "".join(body.format(i) for i in range(60))
        for i in range(300):
            self.write(f"src/base/a{i}.cpp", text)
        start = time.monotonic()
        self.run_tidy()
        self.assertLess(time.monotonic() - start, 60)  # it is 3 s; squares would be minutes


if __name__ == "__main__":
    unittest.main()
