"""The check `lengths` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import lengths  # noqa: E402
from tidy.repository import Repository  # noqa: E402
from tidy_case import TidyTest  # noqa: E402


class Lengths(TidyTest):
    def function(self, lines, name="void Ledger::reserve(int a)"):
        return name + " {\n" + "    work();\n" * (lines - 2) + "}\n"

    def test_columns(self):
        for path in ("src/base/a.cpp", "src/base/a.hpp", "tools/a.py"):
            self.finds(lengths.check, "line-length", {path: "x" * 101 + "\n"})
            self.is_clean(lengths.check, {path: "x" * 100 + "\n"})
        url = "// see https://example.com/" + "x" * 100
        self.is_clean(lengths.check, {"src/base/a.cpp": url, "docs/a.md": "x" * 300})
        self.finds(lengths.check, "line-length", {"src/base/a.cpp": f'f("{url[7:]}");'})

    def test_raw_strings_of_a_test_may_be_long(self):
        raw = 'auto s = R"(' + "x" * 120 + ')";\n'
        self.is_clean(lengths.check, {"src/base/a_test.cpp": raw})
        self.finds(lengths.check, "line-length", {"src/base/a.cpp": raw})

    def test_functions(self):
        headers = ["void Ledger::reserve(int a)", "A::A(int x) : x_(x), y_{x}", "TEST(Suite, Case)",
                   "template <class T>\n  requires(sizeof(T) > 1)\nint f(T t = {}) const noexcept",
                   "auto f() -> std::vector<int>", "bool operator==(const A& b) const",
                   "Result(U&& u) requires(A<U>) : s_(std::in_place_index<0>)"]
        for header in headers:
            with self.subTest(header):
                extra = header.count("requires(sizeof") * 2
                self.is_clean(lengths.check, {"src/base/a.cpp": self.function(70 - extra, header)})
                self.finds(lengths.check, "function-length",
                           {"src/base/a.cpp": self.function(71, header)})
        python = "def f():\n" + "    g()\n" * 70
        self.finds(lengths.check, "function-length", {"tools/a.py": python})
        self.is_clean(lengths.check, {"tools/a.py": python.replace("    g()\n", "", 1)})

    def test_scopes_are_no_functions(self):
        many = "int x();\n" * 100
        for scope in ("namespace quire::credits", "namespace", "class A final : public B<int>",
                      "struct A", 'extern "C"', "enum class Kind : int",
                      "constexpr std::array<Route, 3> kRoutes"):
            self.is_clean(lengths.check, {"src/base/a.cpp": f"{scope} {{\n{many}}};\n"})

    def test_functions_in_scopes_are_named_with_their_line(self):
        text = ('namespace a {\nclass B {\npublic:\n    B() = default;\n' +
                self.function(80, "    int size() const") + "};\n}\n")
        found = self.finds(lengths.check, "function-length", {"src/base/a.cpp": text})
        self.assertEqual([(5, "size has 80 lines; 70 is the limit")],
                         [(finding.line, finding.message) for finding in found])

    def test_files(self):
        self.is_clean(lengths.check, {"src/base/a.cpp": "int x;\n" * 600})
        self.finds(lengths.check, "file-length", {"src/base/a.cpp": "int x;\n" * 601})

    def test_the_ratchet_lets_old_giants_shrink_only(self):
        ratchet = '{"src/a.cpp": {"file_lines": 700, "functions": {"f": 90}}}'

        def files(function_lines, file_lines):
            text = self.function(function_lines, "void f()")
            text += "int x;\n" * (file_lines - function_lines)
            return {lengths.RATCHET: ratchet, "src/a.cpp": text}

        self.is_clean(lengths.check, files(90, 700))
        self.is_clean(lengths.check, files(80, 650))
        self.finds(lengths.check, "function-length", files(91, 700))
        self.finds(lengths.check, "file-length", files(90, 701))
        self.finds(lengths.check, "ratchet", files(70, 700))
        self.finds(lengths.check, "ratchet", files(90, 600))
        self.finds(lengths.check, "ratchet", {lengths.RATCHET: ratchet})

    def test_update_only_lowers(self):
        ratchet = '{"src/a.cpp": {"file_lines": 700, "functions": {"f": 90, "gone": 80}}}'

        def lowered(function_lines, file_lines):
            text = self.function(function_lines, "void f()")
            text += "int x;\n" * (file_lines - function_lines)
            return lengths.lowered(Repository.of({lengths.RATCHET: ratchet, "src/a.cpp": text}))

        self.assertEqual({"src/a.cpp": {"file_lines": 650, "functions": {"f": 80}}},
                         lowered(80, 650))
        self.assertEqual({"src/a.cpp": {"file_lines": 700, "functions": {"f": 90}}},
                         lowered(99, 999))
        self.assertEqual({}, lowered(70, 600))


if __name__ == "__main__":
    unittest.main()
