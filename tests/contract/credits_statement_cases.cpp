// Grants, statements, what is told, and that nobody sees another's.
#include "tests/contract/credits_calls.hpp"
#include "tests/contract/credits_suite.hpp"

#include <fmt/format.h>

#include <limits>
#include <set>

namespace quire::test {
namespace {

using credits::Credits;
using enum ErrorCode;
using Texts = std::vector<std::string>;

constexpr std::int64_t kLimit = (std::int64_t{1} << 53) - 1;
constexpr std::string_view kGranted = "quire.credits.granted.v1";
constexpr std::string_view kSettled = "quire.credits.settled.v1";

awaitable<Result<void>> a_grant_is_booked_once_for_its_key(Credits& port, Findings& found) {
    const auto ctx = new_customer();
    QUIRE_CO_TRY(const auto first, grant(port, ctx, 70));
    QUIRE_CO_TRY(const auto again, grant(port, ctx, 70));
    found.expect_same(again.ShortDebugString(), first.ShortDebugString(), "the same again");
    co_await refused(found, grant(port, ctx, 71), kIdempotencyKeyReused, "another amount");
    const auto more = co_await grant(port, ctx, 30, "other");
    if (!more) co_return more.error();
    QUIRE_CO_TRY(const auto now, balance(port, ctx));
    found.expect_same(now, "100 0", "granted");
    co_return Result<void>();
}

awaitable<Result<void>> grants_that_make_no_sense_are_refused(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1));
    for (const std::int64_t amount :
         {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(), kLimit,
          kLimit + 1, std::numeric_limits<std::int64_t>::max()}) {
        co_await refused(found, grant(port, ctx, amount, "bad"), kInvalidValue,
                         fmt::format("a grant of {}", amount), "amount");
    }
    co_await refused(found, grant(port, ctx, 1, ""), kInvalidValue, "no key", "idempotency_key");
    co_await refused(found, grant(port, ctx, 1, std::string(256, 'k')), kInvalidValue, "long key",
                     "idempotency_key");
    co_await refused(found, grant(port, ctx, 1, "k", ""), kInvalidValue, "no reason", "reason");
    co_await refused(found, grant(port, ctx, 1, "k", std::string(501, 'r')), kInvalidValue,
                     "long reason", "reason");
    QUIRE_CO_TRY(const auto now, balance(port, ctx));
    found.expect_same(now, "1 0", "refused");
    const auto most = co_await grant(port, ctx, kLimit - 1, "most");
    if (!most) co_return most.error();
    co_return Result<void>();
}

awaitable<Result<void>> entries_add_up_to_the_balance(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    const auto settled = new_admission();
    const auto running = new_admission();
    const auto one = co_await port.admit(ctx, settled);
    if (!one) co_return one.error();
    const auto two = co_await port.admit(ctx, running);
    if (!two) co_return two.error();
    const auto paid = co_await settle(port, settled.request_id(), 3, 4);
    if (!paid) co_return paid.error();
    QUIRE_CO_TRY(const auto page, list_entries(port, ctx));
    std::int64_t sum = 0;
    for (const auto& entry : page.entries()) sum += entry.amount();
    QUIRE_CO_TRY(const auto now, balance(port, ctx));
    found.expect_same(now, "939 50", "one settled, one running");
    found.expect(sum == 989, fmt::format("the entries add up to {}", sum));
    if (page.entries().empty()) co_return Result<void>();
    const auto& usage = page.entries(0);
    found.expect_same(usage.request_id(), settled.request_id(), "the newest entry's request");
    found.expect(usage.id().starts_with("txn_"), "the entry's id is " + usage.id());
    found.expect(usage.at_us() > 0, "the entry has no time");
    co_return Result<void>();
}

awaitable<Result<void>> pages_show_everything_once(Credits& port, Findings& found) {
    const auto ctx = new_customer();
    for (int i = 1; i <= 5; ++i) {
        const auto one = co_await grant(port, ctx, i, fmt::to_string(i));
        if (!one) co_return one.error();
    }
    std::vector<std::int64_t> amounts;
    std::string after;
    for (bool has_more = true; has_more;) {
        QUIRE_CO_TRY(const auto page, list_entries(port, ctx, after, 2));
        has_more = page.has_more();
        found.expect(page.entries_size() == (has_more ? 2 : 1), "a page of another size");
        for (const auto& entry : page.entries()) amounts.push_back(entry.amount());
        if (page.entries().empty()) break;
        after = page.entries().rbegin()->id();
    }
    found.expect(amounts == std::vector<std::int64_t>{5, 4, 3, 2, 1}, "not newest first, or twice");
    co_return Result<void>();
}

awaitable<Result<void>> bad_pages_are_refused(Credits& port, Findings& found) {
    const auto ctx = new_customer();
    co_await refused(found, list_entries(port, ctx, "", -1), kInvalidValue, "limit -1", "limit");
    co_await refused(found, list_entries(port, ctx, "", 1001), kInvalidValue, "limit 1001",
                     "limit");
    co_await refused(found, list_entries(port, ctx, "evt_x"), kInvalidValue, "after", "after");
    co_return Result<void>();
}

awaitable<Result<void>> others_see_nothing(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    QUIRE_CO_TRY(const auto rich, list_entries(port, ctx));
    const auto foreign = new_customer();
    QUIRE_CO_TRY(const auto now, balance(port, foreign));
    found.expect_same(now, "0 0", "a foreign balance");
    QUIRE_CO_TRY(const Texts lines, entries(port, foreign));
    found.expect(lines.empty(), "foreign entries are listed");
    if (rich.entries().empty()) co_return Result<void>();
    QUIRE_CO_TRY(const auto paged, list_entries(port, foreign, rich.entries(0).id()));
    found.expect(paged.entries().empty(), "a foreign entry opens its page");
    const auto admission = new_admission();
    co_await refused(found, port.admit(foreign, admission), kInsufficientQuota, "foreign credits");
    co_return Result<void>();
}

awaitable<Result<void>> what_is_booked_is_told_once(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const std::int64_t before, last_told(port));
    const auto ctx = new_customer();
    QUIRE_CO_TRY(const auto granted, grant(port, ctx, 1000));
    const auto settled = new_admission();
    const auto voided = new_admission();
    const auto one = co_await port.admit(ctx, settled);
    if (!one) co_return one.error();
    const auto two = co_await port.admit(ctx, voided);
    if (!two) co_return two.error();
    for (int i = 0; i < 2; ++i) {
        const auto paid = co_await settle(port, settled.request_id(), 3, 4);
        if (!paid) co_return paid.error();
        const auto gone = co_await void_hold(port, voided.request_id());
        if (!gone) co_return gone.error();
        const auto again = co_await grant(port, ctx, 1000);
        if (!again) co_return again.error();
    }
    QUIRE_CO_TRY(const Texts events, told(port, before));
    const Texts wanted{fmt::format("{} {}", kGranted, granted.entry().id()),
                       fmt::format("{} {}", kSettled, settled.request_id())};
    found.expect(events == wanted, fmt::format("told is {}", fmt::join(events, ", ")));
    co_return Result<void>();
}

awaitable<Result<void>> the_invariants_hold(Credits& port, Findings& found) {
    QUIRE_CO_TRY(const auto ctx, customer_with(port, 1000));
    const auto admission = new_admission();
    const auto admitted = co_await port.admit(ctx, admission);
    if (!admitted) co_return admitted.error();
    const credits::v1::VerifyRequest request;
    QUIRE_CO_TRY(const auto report, port.verify(ctx, request));
    found.expect(report.ok() && report.violations().empty(), report.ShortDebugString());
    for (const char* name : {"I1", "I2", "I3", "I4", "I5", "I6", "I8", "I9"}) {
        found.expect(report.checked().contains(name), fmt::format("{} is not checked", name));
    }
    co_return Result<void>();
}

}  // namespace

std::vector<CreditsCase> credits_statement_cases() {
    return {
        {"AGrantIsBookedOnceForItsKey", a_grant_is_booked_once_for_its_key},
        {"GrantsThatMakeNoSenseAreRefused", grants_that_make_no_sense_are_refused},
        {"EntriesAddUpToTheBalance", entries_add_up_to_the_balance},
        {"PagesShowEverythingOnce", pages_show_everything_once},
        {"BadPagesAreRefused", bad_pages_are_refused},
        {"OthersSeeNothing", others_see_nothing},
        {"WhatIsBookedIsToldOnce", what_is_booked_is_told_once},
        {"TheInvariantsHold", the_invariants_hold},
    };
}

}  // namespace quire::test
