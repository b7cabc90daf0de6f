#include "services/prompts/prompts_service.hpp"

#include "quire/inference/v1/inference_fake.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/run_coroutine.hpp"

#include <gtest/gtest.h>

namespace quire::prompts {
namespace {

using namespace std::chrono_literals;
using common::v1::ChatEvent;
using test::finished_event;
using test::started_event;
using test::text_event;
using Words = std::vector<std::string>;

/// Inference that notes what it was asked, sends these events and ends so.
struct Play {
    std::vector<ChatEvent> events;
    std::optional<Error> end;
    std::string asked;
    const rpc::CallContext* ctx = nullptr;
};

awaitable<Result<void>> play(Play& play, const rpc::CallContext& ctx,
                             const inference::v1::GenerateRequest& request,
                             rpc::Sink<ChatEvent>& sink) {
    play.asked = request.request().ShortDebugString();
    play.ctx = &ctx;
    for (const ChatEvent& event : play.events) {
        const auto written = co_await sink.write(event);
        if (!written) co_return written.error();
    }
    if (play.end) co_return *play.end;
    co_return Result<void>();
}

class PromptsServiceTest : public testing::Test {
protected:
    PromptsServiceTest() {
        inference_->on_generate =
            [this](const rpc::CallContext& ctx, const inference::v1::GenerateRequest& request,
                   rpc::Sink<ChatEvent>& sink) { return play(play_, ctx, request, sink); };
        call_.mutable_request()->set_model("writer");
        call_.mutable_request()->add_messages()->add_parts()->set_text("12345678");
        call_.mutable_request()->set_extra_json(R"({"top_k":1})");
        ctx_.request_id = "req_1";
    }
    Result<void> chat() { return test::run(service_.chat(ctx_, call_, events_)); }

    std::shared_ptr<inference::FakeInference> inference_ =
        std::make_shared<inference::FakeInference>();
    PromptsService service_{GenerationPorts{inference_}};
    Play play_;
    v1::ChatCall call_;
    rpc::CallContext ctx_;
    test::ChatEvents events_;
};

TEST_F(PromptsServiceTest, PassesTheRequestAndItsContextOnUnchanged) {
    ASSERT_TRUE(chat());

    EXPECT_EQ(play_.asked, call_.request().ShortDebugString());
    EXPECT_EQ(play_.ctx, &ctx_);
    EXPECT_EQ(inference_->generate_calls, 1);
}

TEST_F(PromptsServiceTest, PassesEveryEventOnUnchangedAndInOrder) {
    ChatEvent finished = finished_event("length");
    finished.mutable_finished()->mutable_usage()->set_output_tokens(0);
    play_.events = {started_event(), text_event("a"), text_event(""), text_event("b"), finished};

    ASSERT_TRUE(chat());

    ASSERT_EQ(events_.all.size(), play_.events.size());
    for (std::size_t i = 0; i < events_.all.size(); ++i) {
        EXPECT_EQ(events_.all[i].ShortDebugString(), play_.events[i].ShortDebugString());
    }
}

TEST_F(PromptsServiceTest, GuessesTheUsageThatNeverCame) {
    play_.events = {started_event(), text_event("a"), text_event("b"), finished_event()};

    ASSERT_TRUE(chat());

    const common::v1::Usage usage = events_.all.back().finished().usage();
    EXPECT_EQ(events_.words.back(), "finished:stop");
    EXPECT_TRUE(usage.estimated());
    EXPECT_EQ(usage.input_tokens(), 6);
    EXPECT_EQ(usage.output_tokens(), 2);
}

TEST_F(PromptsServiceTest, PassesErrorsOnUnchanged) {
    using enum ErrorCode;
    for (const ErrorCode code : {kModelNotFound, kQueueFull, kUpstreamError, kStreamInterrupted,
                                 kCancelled, kInternalError}) {
        play_.end = Error(code, "why").with_retry_after(7s).with_detail("limit", "3");

        const auto ended = chat();

        ASSERT_FALSE(ended);
        EXPECT_EQ(ended.error(), Error(code, "why").with_retry_after(7s).with_detail("limit", "3"));
    }
}

TEST_F(PromptsServiceTest, KeepsWhatCameBeforeAnError) {
    play_.events = {started_event(), text_event("a")};
    play_.end = Error(ErrorCode::kStreamInterrupted, "cut");

    EXPECT_FALSE(chat());
    EXPECT_EQ(events_.words, (Words{"started", "a"}));
}

TEST_F(PromptsServiceTest, TheReadersRefusalReachesInference) {
    play_.events = {started_event(), text_event("a")};
    events_.refusal = Error(ErrorCode::kRequestTooLarge, "enough");

    const auto ended = chat();

    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kRequestTooLarge);
}

TEST_F(PromptsServiceTest, ListsTheModelsOfInferenceInTheirOrder) {
    inference_->on_list_models = [](const rpc::CallContext&,
                                    const inference::v1::ListModelsRequest&)
        -> awaitable<Result<inference::v1::ListModelsResponse>> {
        inference::v1::ListModelsResponse response;
        for (const char* name : {"b", "a"}) {
            auto& model = *response.add_models();
            model.set_name(name);
            model.set_provider("local");
            model.set_created_at_us(5);
        }
        co_return response;
    };
    const v1::ListModelsRequest all;

    const auto listed = test::run(service_.list_models(ctx_, all));

    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->models_size(), 2);
    EXPECT_EQ(listed->models(0).name(), "b");
    EXPECT_EQ(listed->models(1).name(), "a");
    EXPECT_EQ(listed->models(1).provider(), "local");
    EXPECT_EQ(listed->models(1).created_at_us(), 5);
}

TEST_F(PromptsServiceTest, PassesOnWhyThereIsNoList) {
    const v1::ListModelsRequest all;

    const auto listed = test::run(service_.list_models(ctx_, all));

    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().code(), ErrorCode::kInternalError);
}

}  // namespace
}  // namespace quire::prompts
