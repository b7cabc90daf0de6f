"""The check `bans` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import bans  # noqa: E402
from tidy_case import TidyTest  # noqa: E402


class Bans(TidyTest):
    # code, a path where it is right (None: nowhere), all refused in src/services/credits/
    BANNED = [
        ("co_spawn(e, f(), asio::detached);", None),
        ("std::regex r;", None),
        ("auto t = std::chrono::system_clock::now();", "src/base/clock.cpp"),
        ("auto t = steady_clock::now();", "src/services/credits/ledger_test.cpp"),
        ("std::random_device d;", "src/runtime/rng.cpp"),
        ("int x = rand();", "tests/e2e/a.cpp"),
        ('auto* v = std::getenv("HOME");', "src/app/main_command.cpp"),
        ("std::this_thread::sleep_for(1s);", "src/runtime/a.cpp"),
        ("usleep(10);", "src/runtime/a.cpp"),
        ("::sleep(1);", "src/runtime/a.cpp"),
        ("std::cout << 1;", "src/app/status_command.cpp"),
        ('printf("x");', "tools/protoc_gen_quire/main.cpp"),
        ("auto* x = new Ledger(1);", None),
        ("delete x;", None),
        ("delete[] x;", None),
        ("try { f(); } catch (...) { }", "src/runtime/a.cpp"),
        ("assert(x == 1);", None),
        ("auto f = std::async(g);", None),
        ("std::thread t(f);", "src/runtime/a.cpp"),
        ("std::jthread t(f);", "tests/e2e/a.cpp"),
        ("nlohmann::json j;", None),
    ]
    RIGHT = [
        "static_assert(sizeof(int) == 4);", "A(const A&) = delete;", "const int new_size = 1;",
        "runtime::sleep_for(10ms);", "const auto t = clock_.now();", "fmt::print(stderr, x);",
        "std::thread::hardware_concurrency();", "int strand(int x);", "rng.rand(3);",
        '// std::regex and new Ledger in a comment\nauto s = "assert(x)";', "std::fprintf(f, x);",
        "catch (const std::exception& e) { }", "QUIRE_ASSERT(x, y);", "is_detached_from(x);",
        "void operator delete(void* p);", "detail.snprintf(x);",
        "return std::unique_ptr<Port>(\n    new Pool(1));", "std::unique_ptr<A> a(new A(1));",
    ]

    def test_table(self):
        for code, allowed in self.BANNED:
            with self.subTest(code):
                self.finds(bans.check, "ban", {"src/services/credits/ledger.cpp": code})
                self.assertIn(allowed, [allowed, None])
                if allowed:
                    self.is_clean(bans.check, {allowed: code})
                else:
                    self.finds(bans.check, "ban", {"src/runtime/a.cpp": code})
        self.each_clean(bans.check, self.RIGHT, "src/services/credits/ledger.cpp")

    def test_every_ban_has_a_case(self):
        texts = [code for code, _ in self.BANNED]
        for ban in bans.BANS:
            self.assertTrue(any(ban.regex.search(text) for text in texts), ban.pattern)

    def test_markers(self):
        for path in ("src/base/a.cpp", "tools/a.py", "dev.sh", "docs/a.md", "deploy/a.yaml"):
            for marker in ("TODO", "FIXME", "XXX", "HACK"):
                self.finds(bans.check, "ban", {path: f"# {marker}: later\n"})
        self.is_clean(bans.check, {
            "docs/a.md": "`TODO` fails tidy\n", "tools/a.sh": "mktemp a.XXXXXX",
            "src/base/a.cpp": "int todo_list;", "tests/a.json": "XXX"})


if __name__ == "__main__":
    unittest.main()
