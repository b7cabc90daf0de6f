"""The check `dropped` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import dropped  # noqa: E402
from tidy_case import TidyTest  # noqa: E402

HEADER = "#pragma once\n"


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


if __name__ == "__main__":
    unittest.main()
