// Answers: what is held back, replaced, cut.
#include "tests/contract/review_suite.hpp"

#include <fmt/format.h>

namespace quire::test {
namespace {

using common::v1::Delta;
using review::Review;
using Deltas = std::vector<Delta>;

/// The text in pieces of `size` bytes.
Deltas pieces_of(std::string_view text, std::size_t size,
                 common::v1::Channel channel = common::v1::CONTENT) {
    const auto is_within_character = [&](std::size_t at) {
        return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    };
    Deltas deltas;
    for (std::size_t at = 0; at < text.size();) {
        // A protobuf string holds whole characters.
        std::size_t end = at + size;
        while (is_within_character(end)) ++end;
        deltas.push_back(text_delta(std::string(text.substr(at, end - at)), channel));
        at = end;
    }
    return deltas;
}

awaitable<Result<void>> the_same_comes_out_whatever_the_pieces(Review& port, Findings& found) {
    const std::string text = "Pay with 4111 1111 1111 1111, or 4111-1111-1111-1112.";
    for (std::size_t size = 1; size <= text.size(); ++size) {
        QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", pieces_of(text, size)));

        found.expect(out.content == "Pay with [redacted:cards], or 4111-1111-1111-1112.",
                     fmt::format("pieces of {}: {}", size, out.content));
        found.expect(!out.is_blocked, "it was blocked");
        found.expect(out.decisions == "cards redact 1\n", out.decisions);
    }
    co_return Result<void>();
}

awaitable<Result<void>> a_block_delivers_what_stands_before(Review& port, Findings& found) {
    const std::string text = "This is a Forbidden\xE2\x80\x8B Phrase, and this is after it.";
    for (std::size_t size = 1; size <= text.size(); ++size) {
        QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", pieces_of(text, size)));

        found.expect(out.content == "This is a ",
                     fmt::format("pieces of {}: {}", size, out.content));
        found.expect(out.is_blocked && out.decisions == "banned block 1\n", out.decisions);
    }
    co_return Result<void>();
}

awaitable<Result<void>> what_only_begins_like_a_match_comes(Review& port, Findings& found) {
    QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", pieces_of("forbidden phras 4111", 3)));

    found.expect(out.content == "forbidden phras 4111", out.content);
    found.expect(!out.is_blocked && out.decisions.empty(), out.decisions);
    co_return Result<void>();
}

awaitable<Result<void>> channels_are_reviewed_on_their_own(Review& port, Findings& found) {
    const Deltas mixed{text_delta("forbidden "), text_delta("phrase?", common::v1::REASONING),
                       text_delta("fruit"),
                       text_delta(" 4111 1111 1111 1111 ", common::v1::REASONING)};
    QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", mixed));

    found.expect(out.content == "forbidden fruit", out.content);
    found.expect(out.reasoning == "phrase? [redacted:cards] ", out.reasoning);
    const Deltas thought = pieces_of("a forbidden phrase", 4, common::v1::REASONING);
    QUIRE_CO_TRY(const auto blocked, run_session(port, "prj_1", thought));
    found.expect(blocked.is_blocked && blocked.reasoning == "a ", "reasoning is not reviewed");
    co_return Result<void>();
}

awaitable<Result<void>> choices_are_reviewed_on_their_own(Review& port, Findings& found) {
    Deltas mixed{text_delta("forbidden "), text_delta("phrase")};
    mixed[1].set_choice(1);
    QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", mixed));

    found.expect(!out.is_blocked && out.content == "forbidden phrase", out.content);
    co_return Result<void>();
}

awaitable<Result<void>> tool_calls_are_reviewed_decoded(Review& port, Findings& found) {
    const Deltas calls{call_delta(0, "pay", R"({"card":"4111 1111 11)"),
                       call_delta(0, "", R"(11 11\u00311", "amount":12.50, "n":4111111111111111})"),
                       text_delta("between"), call_delta(1, "log", R"({"text":"fine"})")};
    QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", calls));

    found.expect(out.calls.size() == 2, fmt::format("{} calls", out.calls.size()));
    if (out.calls.size() != 2) co_return Result<void>();
    found.expect(out.calls[0].name() == "pay" && out.calls[1].name() == "log", "other names");
    found.expect(out.calls[0].arguments() ==
                     R"({"card":"[redacted:cards]", "amount":12.50, "n":"[redacted:cards]"})",
                 out.calls[0].arguments());
    found.expect(out.calls[1].arguments() == R"({"text":"fine"})", out.calls[1].arguments());
    found.expect(out.content == "between", out.content);
    found.expect(out.decisions == "cards redact 2\n", out.decisions);
    co_return Result<void>();
}

awaitable<Result<void>> a_block_in_a_tool_call_ends_the_answer(Review& port, Findings& found) {
    const Deltas calls{call_delta(0, "say", R"({"text":"a f\u006frbidden )"),
                       call_delta(0, "", R"(phrase!","more":1})"), call_delta(1, "log", "{}"),
                       text_delta("after")};
    QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", calls));

    found.expect(out.is_blocked && out.decisions == "banned block 1\n", out.decisions);
    found.expect(out.calls.size() == 1 && out.calls[0].arguments() == R"({"text":"a )",
                 "something else was delivered than what stands before");
    found.expect(out.content.empty(), out.content);
    co_return Result<void>();
}

awaitable<Result<void>> flags_count_and_never_quote(Review& port, Findings& found) {
    QUIRE_CO_TRY(const auto out,
                 run_session(port, "prj_1", pieces_of("bob@example.com ann@example.org", 5)));

    found.expect(out.content == "bob@example.com ann@example.org", out.content);
    found.expect(out.decisions == "addresses flag 2\n", out.decisions);
    co_return Result<void>();
}

awaitable<Result<void>> logprobs_do_not_tell_what_is_held(Review& port, Findings& found) {
    Deltas deltas = pieces_of("a forbidden phrase", 4);
    for (Delta& delta : deltas) delta.set_logprobs_json(R"({"token":"forb"})");
    QUIRE_CO_TRY(const auto out, run_session(port, "prj_1", deltas));

    found.expect(out.logprobs.empty(), out.logprobs);
    co_return Result<void>();
}

awaitable<Result<void>> without_rules_everything_passes(Review& port, Findings& found) {
    Deltas deltas = pieces_of("a forbidden phrase", 4);
    deltas.push_back(call_delta(0, "pay", "4111 1111 1111 1111"));
    deltas[0].set_logprobs_json("{}");
    QUIRE_CO_TRY(const auto out, run_session(port, "prj_none", deltas));

    found.expect(out.content == "a forbidden phrase" && out.logprobs == "{}", out.content);
    found.expect(out.calls.size() == 1 && !out.is_blocked, "a call was held");
    co_return Result<void>();
}

awaitable<Result<void>> nothing_comes_after_a_cancel(Review& port, Findings& found) {
    const rpc::CallContext ctx = review_caller("prj_1");
    QUIRE_CO_TRY(const auto session, port.review_output(ctx));
    session->cancel();
    session->cancel();
    const review::v1::OutputPiece piece;
    const auto out = co_await session->exchange(piece);

    found.expect_refused(out, ErrorCode::kCancelled, "a push after the cancel");
    co_return Result<void>();
}

}  // namespace

std::vector<ReviewCase> review_output_cases() {
    return {{"TheSameComesOutWhateverThePieces", the_same_comes_out_whatever_the_pieces},
            {"ABlockDeliversWhatStandsBefore", a_block_delivers_what_stands_before},
            {"WhatOnlyBeginsLikeAMatchComes", what_only_begins_like_a_match_comes},
            {"ChannelsAreReviewedOnTheirOwn", channels_are_reviewed_on_their_own},
            {"ChoicesAreReviewedOnTheirOwn", choices_are_reviewed_on_their_own},
            {"ToolCallsAreReviewedDecoded", tool_calls_are_reviewed_decoded},
            {"ABlockInAToolCallEndsTheAnswer", a_block_in_a_tool_call_ends_the_answer},
            {"FlagsCountAndNeverQuote", flags_count_and_never_quote},
            {"LogprobsDoNotTellWhatIsHeld", logprobs_do_not_tell_what_is_held},
            {"WithoutRulesEverythingPasses", without_rules_everything_passes},
            {"NothingComesAfterACancel", nothing_comes_after_a_cancel}};
}

}  // namespace quire::test
