// Holds: admitted, settled, released, expired; each at most once.
#include "runtime/async.hpp"
#include "tests/contract/credits_calls.hpp"
#include "tests/contract/credits_suite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace quire::test {
namespace {

using credits::Credits;
using credits::v1::AdmitResponse;
using enum ErrorCode;
using Texts = std::vector<std::string>;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

awaitable<Result<void>> the_most_is_held_and_the_exact_cost_booked(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    const auto admission = new_admission();
    QUIRE_CO_TRY(const auto admitted, port.admit(ctx, admission));
    found.expect(admitted.outcome() == AdmitResponse::ADMITTED, "not admitted");
    found.expect(admitted.amount() == kHeld, fmt::format("holds {}", admitted.amount()));
    found.expect(admitted.output_tokens_granted() == 20, "other output tokens");
    found.expect_same(admitted.hold_id(), "hold_" + admission.request_id().substr(4), "hold id");
    QUIRE_CO_TRY(const auto held, balance(port, ctx));
    found.expect_same(held, "950 50", "admitted");
    QUIRE_CO_TRY(const auto settled, settle(port, admission.request_id(), 3, 4));
    found.expect(settled.cost().amount() == 11, fmt::format("costs {}", settled.cost().amount()));
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect_same(after, "989 0", "settled");
    co_return Result<void>();
}

awaitable<Result<void>> the_output_is_lowered_to_what_is_there(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 10 + 2 * 16 + 1));
    const auto admission = new_admission();
    QUIRE_CO_TRY(const auto admitted, port.admit(ctx, admission));
    found.expect(admitted.output_tokens_granted() == 16, "not lowered to 16");
    QUIRE_CO_TRY(const auto held, balance(port, ctx));
    found.expect_same(held, "1 42", "lowered");
    co_return Result<void>();
}

awaitable<Result<void>> too_small_a_balance_is_refused_with_the_figures(Credits& port,
                                                                        Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 41));
    const auto admission = new_admission();
    const auto refused = co_await port.admit(ctx, admission);
    found.expect_refused(refused, kInsufficientQuota, "admit");
    if (refused) co_return Result<void>();
    found.expect_same(std::string(refused.error().detail("balance")), "41", "balance");
    found.expect_same(std::string(refused.error().detail("required")), "42", "required");
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect_same(after, "41 0", "refused");
    co_return Result<void>();
}

awaitable<Result<void>> an_empty_balance_is_refused(Credits& port, Findings& found) {
    const auto nobody = new_customer();
    const auto admission = new_admission();
    const auto refused = co_await port.admit(nobody, admission);
    found.expect_refused(refused, kInsufficientQuota, "admit");
    if (!refused) found.expect_same(std::string(refused.error().detail("balance")), "0", "empty");
    co_return Result<void>();
}

awaitable<Result<void>> bad_admissions_are_refused(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    auto unknown = new_admission();
    unknown.set_model("nobody");
    co_await refused(found, port.admit(ctx, unknown), kModelNotFound, "unknown", "model");
    auto odd = new_admission();
    odd.set_request_id("req_1");
    co_await refused(found, port.admit(ctx, odd), kInvalidValue, "odd id", "request_id");
    auto negative = new_admission();
    negative.set_output_tokens_wanted(-1);
    co_await refused(found, port.admit(ctx, negative), kInvalidValue, "negative output");
    auto below = new_admission();
    below.set_input_tokens_bound(-1);
    co_await refused(found, port.admit(ctx, below), kInvalidValue, "negative input");
    auto dead = new_admission();
    dead.set_ttl_us(0);
    co_await refused(found, port.admit(ctx, dead), kInvalidValue, "no time");
    auto keyed = new_admission();
    keyed.set_idempotency_key(std::string(256, 'k'));
    co_await refused(found, port.admit(ctx, keyed), kInvalidValue, "long key", "idempotency-key");
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect_same(after, "1000 0", "refused");
    co_return Result<void>();
}

awaitable<Result<void>> enormous_bounds_hold_no_more_than_the_models(Credits& port,
                                                                     Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1'000'000));
    auto admission = new_admission();
    admission.set_input_tokens_bound(kMost);
    admission.set_output_tokens_wanted(0);
    QUIRE_CO_TRY(const auto admitted, port.admit(ctx, admission));
    found.expect(admitted.amount() == 8192 + 2 * 4096, fmt::format("{}", admitted.amount()));
    auto rich = new_admission();
    rich.set_output_tokens_wanted(kMost);
    QUIRE_CO_TRY(const auto lowered, port.admit(ctx, rich));
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect(lowered.output_tokens_granted() < 500'000, "more than the balance affords");
    co_return Result<void>();
}

awaitable<Result<void>> the_same_request_is_admitted_once(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    const auto admission = new_admission();
    QUIRE_CO_TRY(const auto first, port.admit(ctx, admission));
    QUIRE_CO_TRY(const auto again, port.admit(ctx, admission));
    found.expect(again.outcome() == AdmitResponse::EXISTS, "not said to exist");
    found.expect_same(again.hold_id(), first.hold_id(), "the hold");
    QUIRE_CO_TRY(const auto held, balance(port, ctx));
    found.expect_same(held, "950 50", "admitted twice");
    const auto ended = co_await settle(port, admission.request_id(), 1, 1);
    if (!ended) co_return ended.error();
    QUIRE_CO_TRY(const auto late, port.admit(ctx, admission));
    found.expect(late.outcome() == AdmitResponse::COMPLETED, "admitted after its settlement");
    co_return Result<void>();
}

awaitable<Result<void>> a_key_belongs_to_its_first_request(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    auto first = new_admission();
    first.set_idempotency_key("key");
    first.set_request_hash("a");
    const auto admitted = co_await port.admit(ctx, first);
    if (!admitted) co_return admitted.error();
    auto again = first;
    again.set_request_id(new_admission().request_id());
    co_await refused(found, port.admit(ctx, again), kIdempotencyInProgress, "while it runs");
    auto other = again;
    other.set_request_hash("b");
    co_await refused(found, port.admit(ctx, other), kIdempotencyKeyReused, "other body");
    const auto ended = co_await settle(port, first.request_id(), 1, 1);
    if (!ended) co_return ended.error();
    QUIRE_CO_TRY(const auto completed, port.admit(ctx, again));
    found.expect(completed.outcome() == AdmitResponse::COMPLETED, "ran again");
    found.expect_same(completed.first_request_id(), first.request_id(), "first request");
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect_same(after, "997 0", "once");
    co_return Result<void>();
}

awaitable<Result<void>> a_key_of_another_project_is_another_key(Credits& port, Findings& found) {
    auto first = new_admission();
    first.set_idempotency_key("shared");
    auto second = new_admission();
    second.set_idempotency_key("shared");
    QUIRE_CO_TRY(const auto one, customer_with(port, 1000));
    QUIRE_CO_TRY(const auto two, customer_with(port, 1000));
    const auto admitted = co_await port.admit(one, first);
    if (!admitted) co_return admitted.error();
    QUIRE_CO_TRY(const auto foreign, port.admit(two, second));
    found.expect(foreign.outcome() == AdmitResponse::ADMITTED, "another project's key counts");
    co_return Result<void>();
}

awaitable<Result<void>> a_void_releases_everything_and_the_key(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    auto first = new_admission();
    first.set_idempotency_key("key");
    const auto admitted = co_await port.admit(ctx, first);
    if (!admitted) co_return admitted.error();
    const auto gone = co_await void_hold(port, first.request_id());
    if (!gone) co_return gone.error();
    const auto again = co_await void_hold(port, first.request_id());
    if (!again) co_return again.error();
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect_same(after, "1000 0", "voided");
    co_await refused(found, settle(port, first.request_id(), 1, 1), kAlreadyCompleted,
                     "settle after void");
    first.set_request_id(new_admission().request_id());
    QUIRE_CO_TRY(const auto anew, port.admit(ctx, first));
    found.expect(anew.outcome() == AdmitResponse::ADMITTED, "the key is not free");
    co_return Result<void>();
}

awaitable<Result<void>> settling_twice_books_once(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    const auto admission = new_admission();
    const std::string& id = admission.request_id();
    const auto admitted = co_await port.admit(ctx, admission);
    if (!admitted) co_return admitted.error();
    QUIRE_CO_TRY(const auto first, settle(port, id, 3, 4));
    QUIRE_CO_TRY(const auto again, settle(port, id, 3, 4));
    found.expect_same(again.ShortDebugString(), first.ShortDebugString(), "the same again");
    co_await refused(found, settle(port, id, 3, 5), kAlreadyCompleted, "other usage");
    co_await refused(found, void_hold(port, id), kAlreadyCompleted, "void after settle");
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect_same(after, "989 0", "settled twice");
    co_return Result<void>();
}

awaitable<Result<void>> what_was_never_held_cannot_be_settled(Credits& port, Findings& found) {
    const std::string id = new_admission().request_id();
    co_await refused(found, settle(port, id, 1, 1), kNotFound, "settle");
    const auto nothing = co_await void_hold(port, id);
    if (!nothing) co_return nothing.error();
    co_return Result<void>();
}

awaitable<Result<void>> what_exceeds_the_hold_is_an_overrun_and_then_a_loss(Credits& port,
                                                                            Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, kHeld + 30));
    const auto admission = new_admission();
    const auto admitted = co_await port.admit(ctx, admission);
    if (!admitted) co_return admitted.error();
    QUIRE_CO_TRY(const auto settled, settle(port, admission.request_id(), 100, 0));
    found.expect(settled.cost().amount() == 100, "the price is not the usage's");
    QUIRE_CO_TRY(const Texts lines, entries(port, ctx));
    found.expect(lines == Texts{"overrun -30", "usage -50", "grant 80"}, "other entries");
    QUIRE_CO_TRY(const auto after, balance(port, ctx));
    found.expect_same(after, "0 0", "overrun");
    co_return Result<void>();
}

awaitable<Result<void>> absurd_usage_is_refused_and_the_hold_stays(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    const auto admission = new_admission();
    const std::string& id = admission.request_id();
    const auto admitted = co_await port.admit(ctx, admission);
    if (!admitted) co_return admitted.error();
    co_await refused(found, settle(port, id, -1, 1), kInvalidValue, "negative");
    co_await refused(found, settle(port, id, kMost, kMost), kInvalidValue, "overflowing", "usage");
    co_await refused(found, settle(port, id, (1LL << 40) + 1, 0), kInvalidValue, "2^40", "usage");
    QUIRE_CO_TRY(const auto held, balance(port, ctx));
    found.expect_same(held, "950 50", "refused");
    const auto settled = co_await settle(port, id, 0, 0);
    if (!settled) co_return settled.error();
    QUIRE_CO_TRY(const Texts lines, entries(port, ctx));
    found.expect(lines == Texts{"usage 0", "grant 1000"}, "a usage of 0 has no entry of 0");
    co_return Result<void>();
}

awaitable<Result<void>> a_hold_expires_and_late_usage_is_booked_once(Credits& port,
                                                                     Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, kHeld));
    auto admission = new_admission();
    admission.set_ttl_us(1);
    const auto admitted = co_await port.admit(ctx, admission);
    if (!admitted) co_return admitted.error();
    std::string left;
    for (int i = 0; i < 500 && left != "50 0"; ++i) {
        const auto slept = co_await runtime::sleep_for(std::chrono::milliseconds(10));
        if (!slept) co_return slept.error();
        QUIRE_CO_TRY(left, balance(port, ctx));
    }
    found.expect_same(left, "50 0", "expired");
    for (int i = 0; i < 2; ++i) {
        const auto late = co_await settle(port, admission.request_id(), 3, 4);
        if (!late) co_return late.error();
        QUIRE_CO_TRY(const auto after, balance(port, ctx));
        found.expect_same(after, "39 0", "late");
    }
    co_return Result<void>();
}

awaitable<Result<void>> open_holds_are_listed_by_owner(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    Texts ids;
    for (int i = 0; i < 2; ++i) {
        auto admission = new_admission();
        admission.set_owner(ctx.principal.org_id);
        const auto admitted = co_await port.admit(ctx, admission);
        if (!admitted) co_return admitted.error();
        ids.push_back(admission.request_id());
    }
    std::sort(ids.begin(), ids.end());  // their order; two of one millisecond differ by chance
    QUIRE_CO_TRY(const Texts both, open_holds(port, ctx.principal.org_id));
    found.expect(both == ids, "not the two in their order");
    const auto settled = co_await settle(port, ids[0], 1, 1);
    if (!settled) co_return settled.error();
    const auto gone = co_await void_hold(port, ids[1]);
    if (!gone) co_return gone.error();
    QUIRE_CO_TRY(const Texts none, open_holds(port, ctx.principal.org_id));
    found.expect(none.empty(), "what is over is still listed");
    co_return Result<void>();
}

}  // namespace

std::vector<CreditsCase> credits_hold_cases() {
    return {
        {"TheMostIsHeldAndTheExactCostBooked", the_most_is_held_and_the_exact_cost_booked},
        {"TheOutputIsLoweredToWhatIsThere", the_output_is_lowered_to_what_is_there},
        {"TooSmallABalanceIsRefusedWithTheFigures",
         too_small_a_balance_is_refused_with_the_figures},
        {"AnEmptyBalanceIsRefused", an_empty_balance_is_refused},
        {"BadAdmissionsAreRefused", bad_admissions_are_refused},
        {"EnormousBoundsHoldNoMoreThanTheModels", enormous_bounds_hold_no_more_than_the_models},
        {"TheSameRequestIsAdmittedOnce", the_same_request_is_admitted_once},
        {"AKeyBelongsToItsFirstRequest", a_key_belongs_to_its_first_request},
        {"AKeyOfAnotherProjectIsAnotherKey", a_key_of_another_project_is_another_key},
        {"AVoidReleasesEverythingAndTheKey", a_void_releases_everything_and_the_key},
        {"SettlingTwiceBooksOnce", settling_twice_books_once},
        {"WhatWasNeverHeldCannotBeSettled", what_was_never_held_cannot_be_settled},
        {"WhatExceedsTheHoldIsAnOverrunAndThenALoss",
         what_exceeds_the_hold_is_an_overrun_and_then_a_loss},
        {"AbsurdUsageIsRefusedAndTheHoldStays", absurd_usage_is_refused_and_the_hold_stays},
        {"AHoldExpiresAndLateUsageIsBookedOnce", a_hold_expires_and_late_usage_is_booked_once},
        {"OpenHoldsAreListedByOwner", open_holds_are_listed_by_owner},
    };
}

}  // namespace quire::test
