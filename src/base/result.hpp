#pragma once

#include "base/assert.hpp"
#include "base/error.hpp"

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace quire {

namespace result_detail {
struct Nothing {};

#ifdef QUIRE_CHECK_RESULTS
/// Remembers whether anybody looked at a Result, so that a dropped error aborts in debug builds.
/// Copies and moves start unseen; what was moved from owes nothing.
class Watch {
public:
    Watch() = default;
    Watch(const Watch&) {}
    Watch(Watch&& other) noexcept { other.is_seen_ = true; }
    Watch& operator=(const Watch&) {
        is_seen_ = false;
        return *this;
    }
    Watch& operator=(Watch&& other) noexcept {
        is_seen_ = false;
        other.is_seen_ = true;
        return *this;
    }
    void see() const { is_seen_ = true; }
    bool is_seen() const { return is_seen_; }

private:
    mutable bool is_seen_ = false;
};
#else
struct Watch {
    void see() const {}
    bool is_seen() const { return true; }
};
#endif
}  // namespace result_detail

/// A value or an Error. Member names are those of std::expected, which may replace it one day.
/// With QUIRE_CHECK_RESULTS a Result that dies holding an error nobody looked at aborts; a
/// cancelled one may die unread, as the loser of an `||` does inside Asio.
template <class T>
class [[nodiscard]] Result {
    using Value = std::conditional_t<std::is_void_v<T>, result_detail::Nothing, T>;

public:
    using value_type = T;

    Result() requires std::is_void_v<T> || std::is_default_constructible_v<T>
        : state_(std::in_place_index<0>) {}
    // NOLINTNEXTLINE(google-explicit-constructor): `return error;` is the point of the type
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
    template <class U = Value>
    requires(!std::is_void_v<T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> && std::is_constructible_v<Value, U>)
        // NOLINTNEXTLINE(google-explicit-constructor): `return value;` likewise
        Result(U&& value)
        : state_(std::in_place_index<0>, std::forward<U>(value)) {}

    Result(const Result&) = default;
    Result(Result&&) noexcept = default;
    Result& operator=(const Result& other) {
        check_seen();
        state_ = other.state_;
        watch_ = other.watch_;
        return *this;
    }
    Result& operator=(Result&& other) noexcept {
        check_seen();
        state_ = std::move(other.state_);
        watch_ = std::move(other.watch_);
        return *this;
    }
    ~Result() { check_seen(); }

    bool has_value() const {
        watch_.see();
        return state_.index() == 0;
    }
    explicit operator bool() const { return has_value(); }

    Value& operator*() & { return value_ref(); }
    const Value& operator*() const& { return const_cast<Result*>(this)->value_ref(); }
    Value&& operator*() && { return std::move(value_ref()); }
    Value* operator->() { return &value_ref(); }
    const Value* operator->() const { return &const_cast<Result*>(this)->value_ref(); }

    const Error& error() const {
        watch_.see();
        QUIRE_ASSERT(state_.index() == 1, "error() of a Result that holds a value");
        return std::get<1>(state_);
    }

private:
    Value& value_ref() {
        watch_.see();
        QUIRE_ASSERT(state_.index() == 0, "value of a Result that holds an error");
        return std::get<0>(state_);
    }
    void check_seen() const {
        if (watch_.is_seen() || state_.index() == 0) return;
        const ErrorCode code = std::get<1>(state_).code();
        if (code == ErrorCode::kCancelled) return;
        fail_assertion(std::get<1>(state_).message().c_str(), "an error was dropped unread",
                       __FILE__, __LINE__);
    }

    std::variant<Value, Error> state_;
    [[no_unique_address]] result_detail::Watch watch_;
};

/// Drops a Result on purpose and says why.
template <class T>
void ignore(const Result<T>& result, const char* /*why*/) {
    static_cast<void>(result.has_value());
}

}  // namespace quire

#define QUIRE_TRY_IMPL(tmp, decl, ...) \
    auto tmp = __VA_ARGS__;            \
    if (!tmp) return tmp.error();      \
    decl = *std::move(tmp)

/// QUIRE_TRY(const auto x, f(y)): returns f's error to our caller, or binds its value. Three plain
/// statements: not usable as the body of an unbraced `if`.
#define QUIRE_TRY(decl, ...) QUIRE_TRY_IMPL(QUIRE_CONCAT(quire_try_, __LINE__), decl, __VA_ARGS__)

#define QUIRE_CO_TRY_IMPL(tmp, decl, ...) \
    auto tmp = co_await __VA_ARGS__;      \
    if (!tmp) co_return tmp.error();      \
    decl = *std::move(tmp)

/// QUIRE_CO_TRY(const auto x, f(y)): the same for a coroutine that awaits f.
#define QUIRE_CO_TRY(decl, ...) \
    QUIRE_CO_TRY_IMPL(QUIRE_CONCAT(quire_try_, __LINE__), decl, __VA_ARGS__)
