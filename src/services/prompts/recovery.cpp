#include "services/prompts/recovery.hpp"

#include "runtime/log.hpp"

namespace quire::prompts {
namespace {

constexpr std::int32_t kPageSize = 1000;

/// Also where the hold has expired meanwhile, while no process ran: that is a late settlement.
/// Gives how many were settled.
awaitable<Result<std::size_t>> settle_journal(const GenerationDeps& deps) {
    QUIRE_CO_TRY(const auto unsettled, deps.journal.unsettled());
    std::size_t count = 0;
    for (const credits::v1::SettleRequest& settlement : unsettled) {
        rpc::CallContext ctx;
        ctx.request_id = settlement.request_id();
        auto settled = co_await deps.credits->settle(ctx, settlement);
        // A fault of the whole batch, which is undone and read anew.
        if (!settled && settled.error().code() == ErrorCode::kInternalError) {
            settled = co_await deps.credits->settle(ctx, settlement);
        }
        if (settled) {
            ++count;
            continue;
        }
        if (may_work_later(settled.error())) co_return settled.error();
        QUIRE_LOG(warn, "a request of before was not settled",
                  {"request_id", settlement.request_id()}, {"code", settled.error().name()},
                  {"why", settled.error().message()});
    }
    co_return count;
}

awaitable<Result<void>> void_hold(const GenerationDeps& deps, const std::string& request_id) {
    rpc::CallContext ctx;
    ctx.request_id = request_id;
    credits::v1::VoidHoldRequest release;
    release.set_request_id(request_id);
    const auto released = co_await deps.credits->void_hold(ctx, release);
    if (!released) co_return released.error();
    co_return Result<void>();
}

}  // namespace

awaitable<Result<void>> recover_holds(const GenerationDeps& deps) {
    QUIRE_CO_TRY(const std::size_t settled, settle_journal(deps));
    const rpc::CallContext ctx;
    credits::v1::ListOpenHoldsRequest request;
    request.mutable_page()->set_limit(kPageSize);
    std::size_t voided = 0;
    for (bool has_more = true; has_more;) {
        QUIRE_CO_TRY(const auto page, deps.credits->list_open_holds(ctx, request));
        has_more = page.has_more();
        for (const credits::v1::OpenHold& hold : page.holds()) {
            request.mutable_page()->set_after(hold.request_id());
            if (hold.owner() == deps.owner) continue;
            const auto done = co_await void_hold(deps, hold.request_id());
            if (!done) co_return done.error();
            ++voided;
        }
    }
    if (settled + voided > 0) {
        QUIRE_LOG(info, "holds recovered", {"count", settled + voided}, {"settled", settled});
    }
    auto cleared = co_await deps.journal.clear();
    co_return cleared;
}

}  // namespace quire::prompts
