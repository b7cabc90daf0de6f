#include "services/prompts/hold.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace quire::prompts {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{200};
constexpr milliseconds kLongestPause{5'000};
/// With the pauses above about an hour: longer than a hold of usual length lives.
constexpr int kRetriesMax = 720;
/// Of the ledger itself, each of which ends a whole batch: one order must not end many.
constexpr int kFaultsMax = 5;
constexpr std::size_t kWaitingBytesMax = 64 * 1024 * 1024;

void count_failed() {
    static auto& counter =
        runtime::counter_family("quire_settle_failed_total",
                                "Requests whose settlement could not be made durable at once.")
            .Add({});
    counter.Increment();
}

/// An internal error of the ledger is one of the whole batch, which is undone: the next may be
/// well.
bool may_be_booked_later(const Error& error) {
    return may_work_later(error) || error.code() == ErrorCode::kInternalError;
}

}  // namespace

bool may_work_later(const Error& error) {
    return error.code() == ErrorCode::kStorageUnavailable ||
           error.code() == ErrorCode::kCreditsUnavailable || error.code() == ErrorCode::kOverloaded;
}

awaitable<Result<common::v1::Cost>> Settlements::settle(Settlement settlement) {
    auto once = settle_once(std::move(settlement));
    auto settled = co_await runtime::shielded<common::v1::Cost>(tasks_, "settle", std::move(once));
    co_return settled;
}

awaitable<Result<common::v1::Cost>> Settlements::settle_once(Settlement settlement) {
    const std::string request_id = settlement.request.request_id();
    if (settlement.answer && !may_wait(request_id, *settlement.answer)) settlement.answer.reset();
    const auto settled = co_await book(settlement);
    const auto executor = co_await asio::this_coro::executor;
    if (settled) {
        journal_.forget(request_id);
        if (settlement.answer) {
            retries_.spawn(executor, "store later", go_on(std::move(settlement), true));
        }
        co_return settled->cost();
    }
    const Error error = settled.error();
    QUIRE_LOG(error, "a request was not settled", {"request_id", request_id},
              {"trace_id", settlement.trace.trace_id_hex()}, {"code", error.name()},
              {"why", error.message()});
    const bool is_over = !may_be_booked_later(error);
    if (is_over) {
        end_wait(request_id);
        co_return error;
    }
    count_failed();
    journal_.checkpoint(settlement.request);  // the next start settles it, if this process ends
    retries_.spawn(executor, "settle later", go_on(std::move(settlement), false));
    co_return Error(ErrorCode::kSettleFailed,
                    "the answer's cost could not be booked yet, so the answer is not complete");
}

template <class Ask>
awaitable<void> Settlements::retry(std::string request_id, Ask ask) {
    milliseconds pause = kFirstPause;
    int faults = 0;
    for (int tries = 0; tries < kRetriesMax && faults < kFaultsMax; ++tries) {
        const auto slept = co_await runtime::sleep_for(pause);
        if (!slept) co_return;
        const Result<void> asked = co_await ask();
        // The next start finds it, by its journal row or as an open hold.
        if (!asked && asked.error().code() == ErrorCode::kCancelled) co_return;
        if (asked || !may_be_booked_later(asked.error())) {
            journal_.forget(request_id);
            QUIRE_LOG(info, "a hold was resolved late", {"request_id", request_id},
                      {"code", asked ? "ok" : asked.error().name()});
            co_return;
        }
        if (!may_work_later(asked.error())) ++faults;
        pause = std::min(2 * pause, kLongestPause);
    }
    QUIRE_LOG(error, "a hold was not resolved; the next start does it", {"request_id", request_id},
              {"faults", faults});
}

awaitable<Result<credits::v1::SettleResponse>> Settlements::book(Settlement& settlement) {
    rpc::CallContext ctx;
    ctx.request_id = settlement.request.request_id();
    ctx.trace = settlement.trace;
    auto settled = co_await credits_->settle(ctx, settlement.request);
    if (settled || settled.error().code() != ErrorCode::kInvalidValue) co_return settled;
    *settlement.request.mutable_usage() = settlement.otherwise;
    settled = co_await credits_->settle(ctx, settlement.request);
    co_return settled;
}

/// Nothing where it is stored, or where it never will be.
awaitable<Result<void>> Settlements::store_answer(Settlement& settlement) {
    if (!settlement.answer) co_return Result<void>();
    rpc::CallContext ctx;
    ctx.principal = settlement.whose;
    auto stored = co_await journal_.put_outcome(ctx, settlement.request, *settlement.answer);
    if (!stored && may_work_later(stored.error())) co_return stored;
    settlement.answer.reset();
    co_return Result<void>();
}

bool Settlements::is_storing(const std::string& request_id) const {
    const std::lock_guard lock(mutex_);
    return waiting_.contains(request_id);
}

bool Settlements::may_wait(const std::string& request_id, const v1::StoredAnswer& answer) {
    const std::size_t bytes = answer.ByteSizeLong();
    {
        const std::lock_guard lock(mutex_);
        if (waiting_bytes_ + bytes <= kWaitingBytesMax) {
            waiting_.emplace(request_id, bytes);
            waiting_bytes_ += bytes;
            return true;
        }
    }
    QUIRE_LOG(warn, "an answer is not stored: too much waits for the store", {"bytes", bytes});
    return false;
}

void Settlements::end_wait(const std::string& request_id) {
    const std::lock_guard lock(mutex_);
    const auto waited = waiting_.find(request_id);
    if (waited == waiting_.end()) return;
    waiting_bytes_ -= waited->second;
    waiting_.erase(waited);
}

/// The answer first, since whoever repeats a request that is booked expects it; but no booking
/// waits for it.
awaitable<void> Settlements::go_on(Settlement settlement, bool is_booked) {
    const std::string request_id = settlement.request.request_id();
    auto ask = [&]() -> awaitable<Result<void>> {
        auto stored = co_await store_answer(settlement);
        if (is_booked) co_return stored;
        const auto settled = co_await book(settlement);
        if (!settled) co_return settled.error();
        is_booked = true;
        journal_.forget(request_id);
        co_return stored;
    };
    co_await retry(request_id, ask);
    end_wait(request_id);
}

awaitable<void> Settlements::release_later(std::string request_id) {
    const rpc::CallContext ctx;
    credits::v1::VoidHoldRequest request;
    request.set_request_id(request_id);
    auto ask = [&]() -> awaitable<Result<void>> {
        const auto released = co_await credits_->void_hold(ctx, request);
        if (!released) co_return released.error();
        co_return Result<void>();
    };
    co_await retry(request_id, ask);
}

awaitable<Result<void>> Settlements::release(std::string request_id) {
    auto once = release_once(std::move(request_id));
    auto released = co_await runtime::shielded<void>(tasks_, "release", std::move(once));
    co_return released;
}

awaitable<Result<void>> Settlements::release_once(std::string request_id) {
    const rpc::CallContext ctx;
    credits::v1::VoidHoldRequest request;
    request.set_request_id(request_id);
    const auto released = co_await credits_->void_hold(ctx, request);
    journal_.forget(request_id);
    if (released) co_return Result<void>();
    QUIRE_LOG(warn, "a hold was not released", {"request_id", request_id},
              {"code", released.error().name()}, {"why", released.error().message()});
    if (may_be_booked_later(released.error())) {
        const auto executor = co_await asio::this_coro::executor;
        retries_.spawn(executor, "release later", release_later(request_id));
    }
    co_return released.error();
}

void Settlements::release_soon(const asio::any_io_executor& executor, std::string request_id) {
    tasks_.spawn(executor, "release", release_unheard(std::move(request_id)));
}

awaitable<void> Settlements::release_unheard(std::string request_id) {
    const auto released = co_await release_once(std::move(request_id));
    ignore(released, "release_once has logged it");
}

awaitable<Result<common::v1::Cost>> Hold::settle(Settlement settlement) {
    is_open_ = false;
    auto settled = co_await settlements_.settle(std::move(settlement));
    co_return settled;
}

awaitable<Result<void>> Hold::release() {
    is_open_ = false;
    auto released = co_await settlements_.release(request_id_);
    co_return released;
}

void Settlements::stop() {
    tasks_.join_blocking();
    retries_.cancel();
    retries_.join_blocking();
}

}  // namespace quire::prompts
