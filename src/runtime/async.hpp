#pragma once

#include "base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

/// The coroutine vocabulary of everything above base. `co_await` stands alone: CONTRIBUTING.md has
/// the forms that this compiler breaks; tools/tidy.py finds them.
namespace quire {

namespace asio = boost::asio;
using asio::awaitable;

/// Completion by value: `const auto [ec, n] = co_await socket.async_read_some(buf, as_value);`
inline constexpr auto as_value = asio::as_tuple(asio::use_awaitable);

/// What a coroutine answers when its caller cancelled it.
inline Error cancelled_error() { return {ErrorCode::kCancelled, "the caller cancelled the call"}; }

/// Cancellation that came while no operation was pending is remembered in the state only, so every
/// operation that may wait long asks for it first:
/// `const auto state = co_await asio::this_coro::cancellation_state; if (is_cancelled(state)) ...`
inline bool is_cancelled(const asio::cancellation_state& state) {
    return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace quire

namespace quire::runtime {

/// Waits; ends early with kCancelled when the caller is cancelled.
awaitable<Result<void>> sleep_for(std::chrono::nanoseconds duration);

}  // namespace quire::runtime
