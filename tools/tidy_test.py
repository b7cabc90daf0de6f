"""Each check of tools/tidy.py finds what is planted for it, and leaves the right form alone."""

import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import awaits, bans, dropped, forwards, includes, lengths, links, names  # noqa: E402
from tidy.repository import FILE_BYTES_MAX, Repository  # noqa: E402

HEADER = "#pragma once\n"


class TidyTest(unittest.TestCase):
    def finds(self, check, name, contents):
        """The findings called `name` in a repository of these files; at least one."""
        found = [finding for finding in check(Repository.of(contents)) if finding.check == name]
        self.assertTrue(found, f"{name} found nothing in {contents}")
        return found

    def is_clean(self, check, contents):
        self.assertEqual([], [str(finding) for finding in check(Repository.of(contents))])

    def each_found(self, check, name, cases, path="src/storage/a.cpp", around="{}"):
        for case in cases:
            with self.subTest(case):
                self.finds(check, name, {path: around.format(case)})

    def each_clean(self, check, cases, path="src/storage/a.cpp", around="{}"):
        for case in cases:
            with self.subTest(case):
                self.is_clean(check, {path: around.format(case)})


class Includes(TidyTest):
    REFUSED = {
        "src/base/a.cpp": ["runtime/log.hpp", "quire/credits/v1/credits.pb.h"],
        "src/runtime/a.cpp": ["storage/database.hpp", "services/credits/ledger.hpp"],
        "src/storage/a.cpp": ["providers/sim.hpp", "messaging/bus.hpp", "app/modules.hpp"],
        "src/services/credits/a.cpp": ["services/auth/auth_store.hpp", "app/modules.hpp",
                                       "ledger.hpp", "tests/support/ledger.hpp"],
        "src/app/modules.cpp": ["main.cpp"],
        "src/services/credits/a_test.cpp": ["tests/contract/credits.hpp"],
    }
    ALLOWED = {
        "src/base/a.cpp": ["base/result.hpp"],
        "src/storage/a.cpp": ["runtime/log.hpp", "base/result.hpp",
                              "quire/credits/v1/credits.pb.h"],
        "src/services/credits/a.cpp": ["services/credits/ledger.hpp", "storage/database.hpp",
                                       "quire/auth/v1/auth_port.hpp", "credits_migrations.hpp"],
        "src/app/modules.cpp": ["services/auth/auth_module.hpp"],
        "src/main.cpp": ["app/modules.hpp"],
        "src/services/credits/a_test.cpp": ["tests/support/ledger.hpp", "services/auth/auth.hpp"],
        "tests/contract/a.cpp": ["tests/contract/b.hpp", "services/auth/auth_store.hpp"],
    }
    LIBRARIES_REFUSED = [
        ("src/base/a.cpp", "boost/asio.hpp"), ("src/base/a.cpp", "openssl/rand.h"),
        ("src/services/gateway/a.cpp", "boost/beast/http.hpp"),
        ("src/app/a.cpp", "nghttp2/nghttp2.h"),
        ("src/services/credits/a.cpp", "sqlite3.h"), ("src/app/a.cpp", "yaml-cpp/yaml.h"),
        ("src/runtime/a.cpp", "CLI/CLI.hpp"), ("src/storage/a.cpp", "yaml-cpp/yaml.h"),
        ("src/runtime/a.cpp", "grpcpp/grpcpp.h"),
        ("src/app/a.cpp", "grpc++/grpc++.h"), ("src/app/a.cpp", "grpc/grpc.h"),
    ]
    LIBRARIES_ALLOWED = [
        ("src/base/a.cpp", "fmt/format.h"), ("src/base/a.cpp", "vector"),
        ("src/base/a.cpp", "sys/random.h"), ("src/runtime/http/a.cpp", "boost/beast/http.hpp"),
        ("src/storage/a.cpp", "sqlite3.h"), ("src/app/a.cpp", "CLI/CLI.hpp"),
        ("src/runtime/config/a.cpp", "yaml-cpp/yaml.h"),
        ("tests/contract/a.cpp", "grpcpp/grpcpp.h"),
        ("src/base/a_test.cpp", "gtest/gtest.h"),
        ("src/services/credits/a.cpp", "boost/asio/post.hpp"),
    ]

    def test_directions(self):
        for path, included in self.REFUSED.items():
            self.each_found(includes.check, "include", included, path, '#include "{}"\n')
        for path, included in self.ALLOWED.items():
            self.each_clean(includes.check, included, path, '#include "{}"\n')

    def test_libraries_have_their_folders(self):
        for path, library in self.LIBRARIES_REFUSED:
            self.each_found(includes.check, "include", [library], path, "#include <{}>\n")
        for path, library in self.LIBRARIES_ALLOWED:
            self.each_clean(includes.check, [library], path, "#include <{}>\n")

    def test_a_folder_without_a_rank_is_found(self):
        self.finds(includes.check, "include", {"src/extras/a.cpp": ""})

    def test_an_include_in_a_comment_or_string_is_none(self):
        self.each_clean(includes.check, ['// #include "app/modules.hpp"\n',
                                         'auto s = R"(\n#include "app/modules.hpp"\n)";\n'])

    def test_the_line_is_that_of_the_include(self):
        found = self.finds(includes.check, "include",
                           {"src/base/a.cpp": '\n#include <vector>\n#include "app/x.hpp"\n'})
        self.assertEqual([3], [finding.line for finding in found])

    def test_own_header_first(self):
        header = {"src/base/a.hpp": HEADER}
        right = '// Why.\n#include "base/a.hpp"\n\n#include <vector>\n'
        self.is_clean(includes.check, header | {"src/base/a.cpp": right})
        for wrong in ('#include <vector>\n#include "base/a.hpp"\n', "int x;\n"):
            self.finds(includes.check, "own-header", header | {"src/base/a.cpp": wrong})

    def test_headers(self):
        self.is_clean(includes.check,
                      {"src/base/a.hpp": "// Why.\n#pragma once\nusing std::string;\n"})
        self.finds(includes.check, "pragma-once", {"src/base/a.hpp": "// #pragma once\n"})
        self.finds(includes.check, "using-namespace",
                   {"src/base/a.hpp": HEADER + "using namespace std;\n"})
        self.is_clean(includes.check, {"src/base/a.cpp": "using namespace std::chrono_literals;\n"})


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


class Dropped(TidyTest):
    DECLARED = HEADER + """
class Tasks {
public:
    awaitable<void> join();
    awaitable<void> wait();
    awaitable<Result<void>> stop();
};
class Wakeup {
    awaitable<Result<void>> wait();
};
using Handler = std::function<awaitable<void>(int)>;
awaitable<Result<int>> size_of(std::string_view name);
template <class T>
awaitable<void> drain(T& queue);
"""
    KEPT = [
        "co_await tasks.join();", "co_await pointer->join();", "co_await drain<int>(queue);",
        "const auto n = co_await size_of(name);", "co_return co_await size_of(name);",
        "QUIRE_CO_TRY(const auto n, size_of(name));",
        "co_await asio::this_coro::reset_cancellation_state(filter);",
        "co_await asio::this_coro::throw_if_cancelled(false);",
        "co_await timer.async_wait(asio::use_awaitable);",
        "co_await asio::post(executor, use_awaitable);",
        "co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(f, use_awaitable);",
        "co_await std::move(task);", "co_await tasks.wait();", "co_await handler_(1);",
        "auto job = [&]() -> awaitable<void> { co_return; };\nco_await job();",
        "auto job = [&]() -> awaitable<void> { co_return; };\n"
        "co_await asio::co_spawn(pool, job, use_awaitable);",
        "auto tasks_too = std::make_shared<Tasks>();\nco_await tasks_too->wait();",
    ]
    LOST = [
        "co_await size_of(name);", "co_await tasks.stop();", "co_await unheard_of(1);",
        "if (ready) co_await size_of(name);", "co_await wakeup.wait();", "co_await unknown.wait();",
        "co_await timer.async_wait(as_value);", "co_await socket.async_connect(e, use_awaitable);",
        "co_await (tasks.join() && tasks.stop());", "co_await std::move(other);",
        "co_await asio::post(executor, asio::as_tuple(use_awaitable));",
        "co_await asio::co_spawn(pool, size_of(name), use_awaitable);",
    ]

    def files(self, statement):
        return {"src/runtime/tasks.hpp": self.DECLARED, "src/services/a/a.cpp":
                '#include "runtime/tasks.hpp"\nHandler handler_;\n'
                "awaitable<void> run(Tasks& tasks, std::shared_ptr<Tasks> pointer,\n"
                "    Wakeup& wakeup, awaitable<void> task, awaitable<int> other) {\n"
                + statement + "\n}\n"}

    def test_bare_statements(self):
        for statement in self.KEPT:
            with self.subTest(statement):
                self.is_clean(dropped.check, self.files(statement))
        for statement in self.LOST:
            with self.subTest(statement):
                self.finds(dropped.check, "dropped-result", self.files(statement))

    def test_a_call_without_receiver_is_that_of_the_own_class(self):
        body = '#include "runtime/tasks.hpp"\nawaitable<void> {}::run() {{ co_await wait(); }}\n'
        header = {"src/runtime/tasks.hpp": self.DECLARED}
        self.is_clean(dropped.check, header | {"src/runtime/tasks.cpp": body.format("Tasks")})
        self.finds(dropped.check, "dropped-result",
                   header | {"src/runtime/tasks.cpp": body.format("Wakeup")})

    def test_a_method_of_a_port_always_answers(self):
        contract = {"api/proto/quire/credits/v1/credits.proto":
                    "service Credits {\n  rpc VoidHold(A) returns (B);\n}\n",
                    "src/runtime/other.hpp": HEADER +
                    "struct Other { awaitable<void> void_hold(); };"}
        body = "awaitable<void> f(Credits& credits, Other& other) {{ co_await {}.void_hold(); }}"
        seen = '#include "quire/credits/v1/credits_port.hpp"\n#include "runtime/other.hpp"\n'
        self.finds(dropped.check, "dropped-result",
                   contract | {"src/app/a.cpp": seen + body.format("credits")})
        self.is_clean(dropped.check, contract | {"src/app/a.cpp": seen + body.format("other")})


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


class Names(TidyTest):
    def test_folders(self):
        for folder in names.REFUSED_FOLDERS:
            self.finds(names.check, "folder-name", {f"src/{folder}/a.cpp": ""})
        self.is_clean(names.check, {"api/proto/quire/common/v1/money.proto": "",
                                    "src/base/core.cpp": ""})

    def test_files(self):
        for path in ("src/base/myFile.cpp", "src/base/my-file.cpp", "tests/E2e/a.py", "src/a.h"):
            self.finds(names.check, "file-name", {path: ""})
        self.is_clean(names.check, dict.fromkeys(
            ["src/base/my_file_2.cpp", "src/README.md", "tests/compat/package-lock.json",
             "src/services/credits/migrations/sqlite/0001_accounts.sql", "tests/fuzz/corpus/A-1",
             "tests/e2e/__init__.py", "tests/CMakeLists.txt", "web/dashboard/App.svelte"], ""))

    def test_what_is_not_source(self):
        self.finds(names.check, "file-size", {"docs/a.png": b"x" * (FILE_BYTES_MAX + 1)})
        self.finds(names.check, "binary", {"tools/thing": b"\x7fELF\2\1\1\0"})
        self.finds(names.check, "binary", {"tools/thing": b"!<arch>\nabc"})
        self.finds(names.check, "binary", {"src/base/a.o": b"abc"})
        self.is_clean(names.check, {"docs/a.png": b"x" * FILE_BYTES_MAX,
                                    "tools/run": "#!/bin/sh\n"})

    def test_secrets(self):
        key = "-----BEGIN " + "EC PRIVATE KEY-----"
        ours = "qk_live_" + "aB3" * 14 + "x"
        theirs = "sk-proj-" + "aB3_" * 10
        for secret in (key, ours, theirs):
            for path in ("docs/a.md", "deploy/a.yaml", "src/base/a.cpp"):
                self.finds(names.check, "secret", {path: f"key: {secret}\n"})
        for path in ("tests/e2e/a.py", "src/services/auth/api_key_test.cpp"):
            self.finds(names.check, "secret", {path: key})
            self.is_clean(names.check, {path: ours + " " + theirs})
        self.is_clean(names.check, {
            "docs/a.md": "-----BEGIN PUBLIC KEY-----, `qk_live_...`, sk-1234, "
                         "task-0123456789012345678901234567890123456789"})


class Links(TidyTest):
    def test_headers_that_nobody_takes(self):
        pair = {"src/base/a.hpp": HEADER, "src/base/a.cpp": '#include "base/a.hpp"\n'}
        self.finds(links.check, "dead-file", pair)
        self.is_clean(links.check, pair | {"src/base/b.cpp": '#include "base/a.hpp"\n'})
        self.is_clean(links.check, pair | {"tools/generator/main.cpp": 'p("base/a.hpp");'})

    def test_documents_that_nothing_links(self):
        for path in ("docs/adr/0001-a.md", "docs/checklists/add-a-service.md"):
            self.finds(links.check, "dead-file", {path: f"[self]({path.split('/')[-1]})"})
            self.is_clean(links.check, {path: "", "README.md": f"[why]({path}#choice)"})

    def test_links(self):
        for link in ("[a](gone.md)", "[a](../x/gone.md)", "![a](gone.png)", "[a]: gone.md",
                     '[a](gone.md#part "title")'):
            self.finds(links.check, "link", {"docs/a.md": f"See\n{link}\n"})
        right = ("[a](b.md) [b](../README.md#top) [c](#part) [d](https://x.y/z.md) [e](guides/)\n"
                 "[f](mailto:a@b.c) `[g](gone.md)`\n```\n[h](gone.md)\n```\n[i]: <b.md>\n"[:-8])
        self.is_clean(links.check, {"docs/a.md": right, "docs/b.md": "", "README.md": "",
                                    "docs/guides/c.md": ""})

    def test_paths_in_backticks(self):
        for path in ("src/base/gone.cpp", "tools/gone.py --all", "python3 tests/gone.py",
                     "./tools/x"):
            self.finds(links.check, "path", {"README.md": f"run `{path}` now"})
        right = ("`src/base/a.cpp:12` `tools/a.py` `python3 tools/a.py --x` `src/base/`\n"
                 "`src/base` `src/services/<name>/` `src/*.cpp` `tests/bench/NAME.py` `src/...`\n"
                 "```\ntools/gone.py\n```\n")
        self.is_clean(links.check, {"README.md": right, "src/base/a.cpp": "", "tools/a.py": ""})

    def test_history_may_name_what_is_gone(self):
        self.is_clean(links.check, {"CHANGELOG.md": "`src/gone.cpp` [a](docs/adr/0001-a.md)",
                                    "docs/adr/0001-a.md": "`src/gone.cpp`"})


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
