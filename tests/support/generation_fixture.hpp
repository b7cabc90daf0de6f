#pragma once

#include "tests/support/chat_events.hpp"
#include "tests/support/prompts_under_test.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

namespace quire::test {

using Words = std::vector<std::string>;

/// Inference that notes what it was asked, sends these events and ends so.
struct Play {
    std::vector<common::v1::ChatEvent> events;
    std::optional<Error> end;
    std::string asked;
    const rpc::CallContext* ctx = nullptr;
};

inline awaitable<Result<void>> play(Play& play, const rpc::CallContext& ctx,
                                    const inference::v1::GenerateRequest& request,
                                    rpc::Sink<common::v1::ChatEvent>& sink) {
    play.asked = request.request().ShortDebugString();
    play.ctx = &ctx;
    for (const common::v1::ChatEvent& event : play.events) {
        const auto written = co_await sink.write(event);
        if (!written) co_return written.error();
    }
    if (play.end) co_return *play.end;
    co_return Result<void>();
}

/// A request to the prompt-engine, and what became of its money.
class GenerationFixture : public testing::Test {
protected:
    GenerationFixture() {
        under_.inference->on_generate = [this](const rpc::CallContext& ctx,
                                               const inference::v1::GenerateRequest& request,
                                               rpc::Sink<common::v1::ChatEvent>& sink) {
            return play(play_, ctx, request, sink);
        };
        call_.mutable_request()->set_model("writer");
        call_.mutable_request()->add_messages()->add_parts()->set_text("12345678");
        call_.mutable_request()->set_extra_json(R"({"top_k":1})");
        ctx_.request_id = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    }
    Result<void> chat() { return run(under_.service.chat(ctx_, call_, events_)); }
    /// The first `times` settlements end so, later ones are booked.
    void refuse_settlements(Error with, int times) {
        under_.credits->on_settle = [this, with = std::move(with), times](
                                        const rpc::CallContext&, const credits::v1::SettleRequest&)
            -> awaitable<Result<credits::v1::SettleResponse>> {
            if (++settlements_ <= times) co_return with;
            co_return credits::v1::SettleResponse();
        };
    }
    /// What was booked: the status and the tokens of each settlement, "void" for a release.
    Words booked() const {
        Words words;
        for (const auto& settle : under_.settled) {
            words.push_back(fmt::format(
                "{} {}+{}{}", settle.outcome().status(), settle.usage().input_tokens(),
                settle.usage().output_tokens(), settle.usage().estimated() ? " estimated" : ""));
        }
        for (std::size_t i = 0; i < under_.voided.size(); ++i) words.emplace_back("void");
        return words;
    }

    std::atomic<int> settlements_{0};  ///< counted by refuse_settlements
    PromptsUnderTest under_;
    Play play_;
    prompts::v1::ChatCall call_;
    rpc::CallContext ctx_;
    ChatEvents events_;
};

}  // namespace quire::test
