"""tools/clang_tidy.py makes g++'s compile commands fit for clang."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import clang_tidy  # noqa: E402


class Commands(unittest.TestCase):
    def test_launcher_and_precompiled_header_are_taken_out(self):
        command = ("/usr/bin/cmake -E env CCACHE_NOHASHDIR=1 /usr/bin/ccache /usr/bin/c++ "
                   "-DX='a b' -fpch-preprocess -Winvalid-pch --param ggc-min-expand=200 "
                   "-include /b/CMakeFiles/p.dir/cmake_pch.hxx "
                   "-o a.o -c /r/src/a.cpp")

        header = clang_tidy.ROOT / "cmake/pch.hpp"
        self.assertEqual(f"/usr/bin/c++ '-DX=a b' -include {header} -o a.o -c /r/src/a.cpp",
                         clang_tidy.fit_for_clang(command))

    def test_a_plain_command_stays(self):
        command = "/usr/bin/g++-12 -std=c++20 -c /r/src/a.cpp"

        self.assertEqual(command, clang_tidy.fit_for_clang(command))

    def test_sources_that_are_compiled_together_are_read_one_by_one(self):
        with tempfile.TemporaryDirectory() as folder:
            together = Path(folder) / "Unity/unity_0_cxx.cxx"
            together.parent.mkdir()
            together.write_text('#include "/r/a_test.cpp"\n\n#include "/r/b_test.cpp"\n')
            entry = {"file": str(together), "command": f"g++ -O1 -c {together}", "directory": "/r"}

            self.assertEqual(
                [("/r/a_test.cpp", "g++ -O1 -c /r/a_test.cpp"),
                 ("/r/b_test.cpp", "g++ -O1 -c /r/b_test.cpp")],
                [(each["file"], each["command"]) for each in clang_tidy.apart(entry)])


if __name__ == "__main__":
    unittest.main()
