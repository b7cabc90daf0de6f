"""The check `forwards` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import forwards  # noqa: E402
from tidy_case import TidyTest  # noqa: E402


class Forwards(TidyTest):
    LASTING = [
        "awaitable<int> f(const Ctx& ctx) { return port_.call(ctx, request_); }",
        "awaitable<int> f(const Ctx& ctx, int n) { return impl_->call(ctx, n, kLimit, true); }",
        "awaitable<int> Client::f(const Ctx& ctx) { return g(*this, &ctx.principal); }",
        "awaitable<int> f(int n) { return call<A, B>(n); }",
        "awaitable<int> f(A& a) { return (a.*handler)(a); }",
        "awaitable<int> f(awaitable<int> work) { return std::move(work); }",
        "awaitable<int> f(int n) { co_return co_await g(n + 1); }",
        "awaitable<int> f(int n) { QUIRE_CO_TRY(const auto x, g(n + 1)); co_return x; }",
        "struct Port { virtual awaitable<int> f(const Ctx& ctx) = 0; };",
        "awaitable<int> f(const Ctx& ctx);",
        "auto f = [&](const Ctx& ctx) -> awaitable<int> { return g(ctx); };",
        "int f(int n) { return g(n + 1); }",
        "awaitable<int> f(A& a) { throw std::logic_error(\"never\"); }",
        "awaitable<int> f(const A& a) { ++n_; if (a.b()) return g(a); return next_.f(a, out_); }",
        "void f() { run([&] { return call(ctx, 1); }); }",
        "struct A { awaitable<int> find(int n); };\n"
        "awaitable<int> A::find() { auto g = [] { return storage::find(n + 1); }; co_return 1; }\n"
        "void f(Map& map) { g([&] { return map.find(n + 1); }); g([&] { return find(n + 1); }); }",
    ]
    DYING = [
        "awaitable<int> f(const Ctx& ctx) { return port_.call(ctx, a + b); }",
        "awaitable<int> f(const Ctx& ctx) { return port_.call(ctx, Request{1}); }",
        "awaitable<int> f(const Ctx& ctx) { return port_.call(ctx, make(ctx)); }",
        'awaitable<int> f(const Ctx& ctx) { return port_.call(ctx, "text"); }',
        "awaitable<int> f(const Ctx& ctx) { return port_.call(ctx, 5s); }",
        "awaitable<int> f(const Ctx& ctx) { return Session(ctx).run(ctx); }",
        "awaitable<int> f(std::string name) { return g(name); }",
        "awaitable<int> f(int n) { const Request r(n); return g(r); }",
        "awaitable<int> f(const A& a) { ++n_; return next_.f(a, n_ + 1); }",
        "awaitable<int> f(const A& a) { const B b(a); if (a.b()) return g(b); return g(a); }",
        "awaitable<int> f(const A& a) { B next; return next.f(a); }",
        "awaitable<int> f(const A& a) { return g(a); ++n_; }",
        "awaitable<int> f() { auto job = []() -> awaitable<int> { co_return 1; }; return g(job); }",
        "auto f(const Ctx& ctx) -> awaitable<int> { return g(ctx, a + b); }",
        "struct S { awaitable<int> f(A& a) override { return g(a, {}); } };",
        "void f() { auto g = [&](A& a) -> awaitable<int> { return h(a, a.size() + 1); }; }",
        "awaitable<int> call(A& a, int n);\nvoid f() { run([&] { return call(ctx, n + 1); }); }",
    ]

    def test_plain_functions(self):
        self.each_clean_text(self.LASTING)
        for text in self.DYING:
            with self.subTest(text):
                self.finds(forwards.check, "awaitable-forward", {"src/runtime/a.cpp": text})

    def each_clean_text(self, texts):
        for text in texts:
            with self.subTest(text):
                self.is_clean(forwards.check, {"src/runtime/a.cpp": text})


if __name__ == "__main__":
    unittest.main()
