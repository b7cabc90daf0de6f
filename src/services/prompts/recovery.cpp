#include "services/prompts/recovery.hpp"

#include "runtime/log.hpp"

namespace quire::prompts {
namespace {

constexpr std::int32_t kPageSize = 1000;

awaitable<Result<void>> recover(const GenerationDeps& deps, const std::string& request_id) {
    rpc::CallContext ctx;
    ctx.request_id = request_id;
    QUIRE_CO_TRY(const auto settlement, deps.journal.find_settlement(request_id));
    if (settlement) {
        const auto settled = co_await deps.credits->settle(ctx, *settlement);
        if (settled) co_return Result<void>();
        if (settled.error().code() != ErrorCode::kInvalidValue) co_return settled.error();
    }
    credits::v1::VoidHoldRequest release;
    release.set_request_id(request_id);
    const auto released = co_await deps.credits->void_hold(ctx, release);
    if (!released) co_return released.error();
    co_return Result<void>();
}

}  // namespace

awaitable<Result<void>> recover_holds(const GenerationDeps& deps) {
    const rpc::CallContext ctx;
    credits::v1::ListOpenHoldsRequest request;
    request.mutable_page()->set_limit(kPageSize);
    std::size_t recovered = 0;
    for (bool has_more = true; has_more;) {
        QUIRE_CO_TRY(const auto page, deps.credits->list_open_holds(ctx, request));
        has_more = page.has_more();
        for (const credits::v1::OpenHold& hold : page.holds()) {
            request.mutable_page()->set_after(hold.request_id());
            if (hold.owner() == deps.owner) continue;
            const auto done = co_await recover(deps, hold.request_id());
            if (!done) co_return done.error();
            ++recovered;
        }
    }
    if (recovered > 0) QUIRE_LOG(info, "holds recovered", {"count", recovered});
    auto cleared = co_await deps.journal.clear();
    co_return cleared;
}

}  // namespace quire::prompts
