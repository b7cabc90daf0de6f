"""The check `awaits` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import awaits  # noqa: E402
from tidy_case import TidyTest  # noqa: E402

HEADER = "#pragma once\n"


class Awaits(TidyTest):
    BROKEN = [
        "if (co_await g()) co_return 3;",
        "while (co_await g()) {{ h(); }}",
        "for (const auto& x : co_await g()) h(x);",
        'co_await publish({{"completed", id}});',
        "auto o = Opts{{.a = co_await f()}};",
        "const auto x = ready ? co_await f() : 0;",
        "co_await on_pool(pool_, [text] {{ return hash(text); }});",
        "const auto x = co_await f([this, text] {{ return text; }});",
        "const auto x = co_await f([=] {{ return text; }});",
        "const auto x = co_await f(ready ? a : b);",
        "QUIRE_CO_TRY(const auto x, f({{1, 2}}));",
        "QUIRE_CO_TRY(const auto x, f([text] {{ return text; }}));",
        "auto x = std::move(co_await f());",
        "auto x = *co_await f();",
        "EXPECT_TRUE(co_await f());",
        "auto x = co_await f() + 1;",
        "if (ready) QUIRE_CO_TRY(const auto x, f());",
        "if (!ready) {{ h(); }} else QUIRE_TRY(const auto x, f());",
        "const auto x = co_await f({{{{1}}, {{2}}}});",
        "std::array x{{a, {{co_await f()}}}};",
        "const bool x = ready && co_await f();",
    ]
    RIGHT = [
        "const bool ready = co_await g();\nif (ready) {{ co_return 3; }}",
        "const auto [ec, n] = co_await socket.async_read_some(buffer, as_value);",
        "auto first = co_await (std::move(work) || timer.async_wait(use_awaitable));",
        "co_return co_await f(a, b[1]);",
        "x = co_await f<int, A>(std::string(text));",
        "if (ready) co_await f();",
        "for (int i = 0; i < 3; ++i) co_await f(i);",
        "switch (kind) {{ case Kind::kA: co_await f(); break; default: co_await g(); }}",
        "co_await f([&] {{ return x ? 1 : 2; }});",
        "co_await f([this, &text](int a) {{ return text; }});",
        "auto work = [text] {{ return text; }};\nconst auto x = co_await f(work);",
        "auto job = [&]() -> awaitable<void> {{ co_await f(); }};\nco_await g(job);",
        "Event e{{1}};\nco_await f(e);",
        "std::vector<int> v{{1, 2}};\nQUIRE_CO_TRY(const auto x, f(v));",
        "co_await f(\"{{?\");  // {{ and ? in a comment",
        "co_await asio::this_coro::executor;",
        "switch (kind) {{ case Kind::kA: {{ co_await f(); }} default: {{ co_await g(); }} }}",
        "{{ co_await f(); }}\n{{ {{ co_await f(); }} }}",
        "while (true) {{ co_await f(); }}\nco_await g();",
        "try {{ co_await f(); }} catch (const std::exception& e) {{ bug = e.what(); }}",
        "[[maybe_unused]] const auto x = co_await f();",
    ]

    def test_forms(self):
        around = "awaitable<int> run() {{\n    int local = 0;\n    {}\n}}\n"
        for case in self.BROKEN:
            text = around.format(case.format())
            with self.subTest(text):
                self.finds(awaits.check, "co-await", {"src/runtime/a.cpp": text})
        for case in self.RIGHT:
            text = around.format(case.format())
            with self.subTest(text):
                self.is_clean(awaits.check, {"src/runtime/a.cpp": text})

    def test_the_macro_itself_is_none(self):
        macro = "#define QUIRE_CO_TRY(decl, ...) \\\n    if (auto tmp = co_await f()) {}\n"
        self.is_clean(awaits.check, {"src/base/result.hpp": HEADER + macro})


if __name__ == "__main__":
    unittest.main()
