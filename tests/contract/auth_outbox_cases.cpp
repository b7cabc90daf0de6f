// What auth tells: in order, once, and without a secret.
#include "runtime/json.hpp"
#include "tests/contract/auth_calls.hpp"
#include "tests/contract/auth_suite.hpp"

#include <fmt/format.h>

#include <set>

namespace quire::test {
namespace {

using auth::Auth;
using common::v1::OutboxEvent;
using enum ErrorCode;

constexpr std::string_view kCreated = "quire.auth.key_created.v1";
constexpr std::string_view kRevoked = "quire.auth.key_revoked.v1";

std::string in_short(const std::vector<OutboxEvent>& events) {
    std::string text;
    for (const OutboxEvent& event : events) {
        text += fmt::format("{} {}\n", event.type(), event.subject());
    }
    return text;
}

awaitable<Result<void>> creations_and_revocations_are_told_in_order(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const std::int64_t before, last_sequence(port));
    QUIRE_CO_TRY(const auto one, create_key(port, owner, KeyWish("one")));
    QUIRE_CO_TRY(const auto two, create_key(port, owner, KeyWish("two")));
    const auto ended = co_await revoke_key(port, owner, one.key().id());
    if (!ended) co_return ended.error();
    QUIRE_CO_TRY(const auto events, read_events(port, before));

    const std::string expected = fmt::format("{0} {2}\n{0} {3}\n{1} {2}\n", kCreated, kRevoked,
                                             one.key().id(), two.key().id());
    found.expect(in_short(events) == expected, "told is\n" + in_short(events));
    std::set<std::string> ids;
    std::int64_t last = before;
    for (const OutboxEvent& event : events) {
        found.expect(event.sequence() > last, "the sequence does not rise");
        last = event.sequence();
        found.expect(event.id().starts_with("evt_"), "the event's id is " + event.id());
        found.expect(ids.insert(event.id()).second, "two events have one id");
    }
    co_return Result<void>();
}

awaitable<Result<void>> an_event_says_what_happened_and_in_which_trace(Auth& port,
                                                                       Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const std::int64_t before, last_sequence(port));
    KeyWish wish("gr\"öße", contract_scopes());
    QUIRE_CO_TRY(const auto made, create_key(port, owner, std::move(wish)));
    QUIRE_CO_TRY(const auto events, read_events(port, before));
    if (events.size() != 1) co_return Error(kInternalError, "not one event: " + in_short(events));

    const OutboxEvent& event = events.front();
    found.expect(event.time_us() == made.key().created_at_us(), "it happened at another time");
    found.expect(event.traceparent().find(owner.trace.trace_id_hex()) != std::string::npos,
                 "another trace: " + event.traceparent());
    const auto data = runtime::parse_json(event.data_json());
    if (!data) co_return data.error();
    const auto text = [&](std::string_view key) {
        return std::string(runtime::text_member(data->as_object(), key));
    };
    found.expect(text("orgId") == owner.principal.org_id, "another organization");
    found.expect(text("keyId") == made.key().id(), "another key");
    found.expect(text("name") == "gr\"öße", "another name: " + text("name"));
    found.expect(data->at("scopes").as_array().size() == contract_scopes().size(), "other scopes");
    co_return Result<void>();
}

awaitable<Result<void>> revoking_twice_is_told_once(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto made, create_key(port, owner, KeyWish("ci")));
    QUIRE_CO_TRY(const std::int64_t before, last_sequence(port));
    const auto once = co_await revoke_key(port, owner, made.key().id());
    if (!once) co_return once.error();
    const auto twice = co_await revoke_key(port, owner, made.key().id());
    if (!twice) co_return twice.error();
    QUIRE_CO_TRY(const auto events, read_events(port, before));

    found.expect(in_short(events) == fmt::format("{} {}\n", kRevoked, made.key().id()),
                 "told is\n" + in_short(events));
    co_return Result<void>();
}

awaitable<Result<void>> what_is_refused_is_not_told(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const std::int64_t before, last_sequence(port));
    const auto nameless = co_await create_key(port, owner, KeyWish(""));
    const auto unknown = co_await revoke_key(port, owner, std::string("key_unknown"));
    const auto stranger = co_await authenticate(port, std::string("x"));
    QUIRE_CO_TRY(const auto events, read_events(port, before));

    found.expect(!nameless && !unknown && !stranger, "something was not refused");
    found.expect(events.empty(), "told is\n" + in_short(events));
    co_return Result<void>();
}

awaitable<Result<void>> events_are_read_in_pieces_without_a_gap(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const std::int64_t before, last_sequence(port));
    for (int i = 0; i < 5; ++i) {
        const auto made = co_await create_key(port, owner, KeyWish("ci"));
        if (!made) co_return made.error();
    }
    QUIRE_CO_TRY(const auto whole, read_events(port, before));
    for (const std::int32_t limit : {1, 2, 5}) {
        std::vector<OutboxEvent> pieces;
        std::int64_t after = before;
        while (pieces.size() < whole.size()) {
            QUIRE_CO_TRY(const auto piece, read_events(port, after, limit));
            if (piece.empty()) break;
            found.expect(piece.size() <= static_cast<std::size_t>(limit), "a piece is too large");
            pieces.insert(pieces.end(), piece.begin(), piece.end());
            after = piece.back().sequence();
        }
        found.expect(in_short(pieces) == in_short(whole),
                     fmt::format("by {}: {}", limit, in_short(pieces)));
    }
    QUIRE_CO_TRY(const auto behind, read_events(port, whole.back().sequence()));
    found.expect(behind.empty(), "something comes behind the end");
    co_return Result<void>();
}

awaitable<Result<void>> events_hold_no_key(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const std::int64_t before, last_sequence(port));
    QUIRE_CO_TRY(const auto made, create_key(port, owner, KeyWish("ci")));
    QUIRE_CO_TRY(const auto events, read_events(port, before));

    const std::string secret = made.secret().substr(8, 43);
    for (const OutboxEvent& event : events) {
        found.expect(event.ShortDebugString().find(secret) == std::string::npos,
                     "an event holds the key");
    }
    co_return Result<void>();
}

}  // namespace

std::vector<AuthCase> auth_outbox_cases() {
    return {
        {"CreationsAndRevocationsAreToldInOrder", creations_and_revocations_are_told_in_order},
        {"AnEventSaysWhatHappenedAndInWhichTrace", an_event_says_what_happened_and_in_which_trace},
        {"RevokingTwiceIsToldOnce", revoking_twice_is_told_once},
        {"WhatIsRefusedIsNotTold", what_is_refused_is_not_told},
        {"EventsAreReadInPiecesWithoutAGap", events_are_read_in_pieces_without_a_gap},
        {"EventsHoldNoKey", events_hold_no_key},
    };
}

}  // namespace quire::test
