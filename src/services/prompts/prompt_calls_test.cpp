// What the service does with prompts: publishing, looking, pointing labels, generating.
#include "services/prompts/prompts_service.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/prompts_under_test.hpp"

#include <gtest/gtest.h>

namespace quire::prompts {
namespace {

using common::v1::ChatEvent;
using test::finished_event;
using test::started_event;
using test::text_event;
using Words = std::vector<std::string>;

/// Prompts published and generated with; the upstream plays what the test sets.
class PromptCallsTest : public testing::Test {
protected:
    PromptCallsTest() {
        ctx_.request_id = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";
        under_.inference->on_generate =
            [this](const rpc::CallContext&, const inference::v1::GenerateRequest& request,
                   rpc::Sink<ChatEvent>& sink) { return play(request, sink); };
        ctx_.principal.org_id = "org_1";
        ctx_.principal.project_id = "prj_1";
        under_.inference->on_list_models =
            [](const auto&, const auto&) -> awaitable<Result<inference::v1::ListModelsResponse>> {
            inference::v1::ListModelsResponse response;
            for (const char* name : {"first", "second"}) response.add_models()->set_name(name);
            co_return response;
        };
    }
    Result<v1::PublishVersionResponse> publish(const std::string& content, Words labels = {}) {
        v1::PublishVersionRequest request;
        request.set_name("post");
        request.add_messages()->set_role("user");
        request.mutable_messages(0)->set_content(content);
        request.mutable_labels()->Add(labels.begin(), labels.end());
        return test::run(under_.service.publish_version(ctx_, request));
    }
    Result<v1::GetPromptResponse> get(const std::string& label, std::int64_t version) {
        v1::GetPromptRequest request;
        request.set_name("post");
        request.set_label(label);
        request.set_version(version);
        return test::run(under_.service.get_prompt(ctx_, request));
    }
    Result<v1::SetLabelResponse> point(const std::string& label, std::int64_t version) {
        v1::SetLabelRequest request;
        request.set_name("post");
        request.set_label(label);
        request.set_version(version);
        return test::run(under_.service.set_label(ctx_, request));
    }
    Result<void> generate(const std::string& variables = "{}") {
        generate_.set_prompt("post");
        generate_.set_variables_json(variables);
        return test::run(under_.service.generate(ctx_, generate_, events_));
    }

    awaitable<Result<void>> play(const inference::v1::GenerateRequest& request,
                                 rpc::Sink<ChatEvent>& sink) {
        asked_ = request.request();
        for (const ChatEvent& event : {started_event(), text_event("a"), finished_event()}) {
            const auto written = co_await sink.write(event);
            if (!written) co_return written.error();
        }
        co_return Result<void>();
    }

    test::PromptsUnderTest under_;
    rpc::CallContext ctx_;
    test::ChatEvents events_;
    v1::GenerateCall generate_;
    common::v1::ChatRequest asked_;
};

TEST_F(PromptCallsTest, NumbersVersionsAndMovesLabelsTogether) {
    const auto first = publish("one", {"production"});
    const auto second = publish("two {{ x }}", {"beta", "production"});

    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->version().version(), 1);
    EXPECT_EQ(second->version().version(), 2);
    EXPECT_EQ(get("production", 0)->version().version(), 2);
    EXPECT_EQ(get("", 1)->version().labels_size(), 0);
    EXPECT_EQ(get("", 0)->version().labels_size(), 2);
    EXPECT_EQ(get("", 0)->version().variables(0), "x");
}

TEST_F(PromptCallsTest, RefusesLabelsBeyondTheMostAndPublishesNothingThen) {
    ASSERT_TRUE(publish("one"));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(point("l" + std::to_string(i), 1));

    const auto pointed = point("one-more", 1);
    const auto published = publish("two", {"l1", "one-more"});

    ASSERT_FALSE(pointed);
    EXPECT_EQ(pointed.error().detail("limit"), "20");
    EXPECT_FALSE(published);
    EXPECT_EQ(get("", 0)->version().version(), 1);
    EXPECT_EQ(get("l1", 0)->version().version(), 1);
}

TEST_F(PromptCallsTest, SaysTheSameOfForeignAndUnknownPrompts) {
    ASSERT_TRUE(publish("one", {"production"}));
    ctx_.principal.project_id = "prj_2";

    for (const Error& error : {get("", 0).error(), get("", 1).error(), get("production", 0).error(),
                               point("production", 1).error(), generate().error()}) {
        EXPECT_EQ(error.code(), ErrorCode::kPromptNotFound) << error.message();
    }
    EXPECT_EQ(under_.inference->generate_calls, 0);
    EXPECT_TRUE(under_.admitted.empty());
}

TEST_F(PromptCallsTest, ListsAPageOfThem) {
    ASSERT_TRUE(publish("one", {"production"}));
    v1::ListPromptsRequest request;
    request.mutable_page()->set_limit(1);

    const auto listed = test::run(under_.service.list_prompts(ctx_, request));
    request.mutable_page()->set_limit(1001);
    const auto refused = test::run(under_.service.list_prompts(ctx_, request));

    ASSERT_TRUE(listed);
    EXPECT_FALSE(listed->has_more());
    EXPECT_EQ(listed->prompts(0).labels().at("production"), 1);
    EXPECT_FALSE(refused);
}

TEST_F(PromptCallsTest, GeneratesWithTheProductionVersionAndTheFirstModel) {
    ASSERT_TRUE(publish("About {{ topic }}.", {"production"}));

    ASSERT_TRUE(generate(R"({"topic":"bees"})"));

    const auto& started = events_.all.front().started();
    EXPECT_EQ(events_.words, (Words{"started", "a", "finished:stop"}));
    EXPECT_EQ(started.prompt(), "post");
    EXPECT_EQ(started.prompt_version(), 1);
    EXPECT_EQ(started.steps(0).name(), "render");
    EXPECT_EQ(asked_.messages(0).parts(0).text(), "About bees.");
    EXPECT_EQ(asked_.model(), "first");
    EXPECT_EQ(under_.admitted.front().model(), "first");
    ASSERT_EQ(under_.settled.size(), 1);
    EXPECT_EQ(under_.settled.front().outcome().status(), "completed");
    EXPECT_EQ(under_.settled.front().outcome().prompt(), "post");
    EXPECT_EQ(under_.settled.front().outcome().prompt_version(), 1);
}

TEST_F(PromptCallsTest, TheRequestsModelAndLimitComeBeforeTheVersions) {
    ASSERT_TRUE(publish("x", {"production"}));
    generate_.set_model("second");
    generate_.set_max_output_tokens(9);

    ASSERT_TRUE(generate());

    EXPECT_EQ(under_.admitted.front().model(), "second");
    EXPECT_EQ(under_.admitted.front().output_tokens_wanted(), 9);
}

TEST_F(PromptCallsTest, AMissingVariableIsRefusedBeforeAnythingIsHeld) {
    ASSERT_TRUE(publish("{{ topic }}", {"production"}));

    const auto done = generate();

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), ErrorCode::kMissingVariable);
    EXPECT_TRUE(under_.admitted.empty());
}

TEST_F(PromptCallsTest, TellsWhatReviewDecidedAndAgainInAReplay) {
    ASSERT_TRUE(publish("x", {"production"}));
    under_.review->on_review_input =
        [](const auto&, const auto&) -> awaitable<Result<review::v1::ReviewInputResponse>> {
        review::v1::ReviewInputResponse response;
        auto& decision = *response.add_decisions();
        decision.set_stage("input");
        decision.set_rule("mail");
        decision.set_count(2);
        co_return response;
    };
    ctx_.idempotency_key = "k";
    ASSERT_TRUE(generate());
    under_.admission.set_outcome(credits::v1::AdmitResponse::COMPLETED);
    under_.admission.set_first_request_id(ctx_.request_id);

    ASSERT_TRUE(generate());

    const auto& again = events_.all.back().finished();
    ASSERT_EQ(again.review_size(), 1);
    EXPECT_EQ(again.review(0).rule(), "mail");
    EXPECT_EQ(again.review(0).count(), 2);
    EXPECT_EQ(events_.all.at(3).started().prompt_version(), 1);
    EXPECT_EQ(under_.inference->generate_calls, 1);
}

TEST_F(PromptCallsTest, ARepeatPublishesNoSecondVersion) {
    ctx_.idempotency_key = "once";
    const auto first = publish("one", {"production"});
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->replayed());
    ctx_.idempotency_key = "";
    ASSERT_TRUE(publish("two", {"production"}));

    ctx_.idempotency_key = "once";
    const auto again = publish("one", {"production"});

    ASSERT_TRUE(again);
    EXPECT_TRUE(again->replayed());
    EXPECT_EQ(again->version().ShortDebugString(), first->version().ShortDebugString());
    EXPECT_EQ(get("production", 0)->version().version(), 2);
    EXPECT_EQ(get("", 0)->version().version(), 2);
}

TEST_F(PromptCallsTest, AnotherVersionWithTheSameIdempotencyKeyIsRefused) {
    ctx_.idempotency_key = "once";
    v1::PublishVersionRequest request;
    request.set_name("post");
    request.add_messages()->set_role("user");
    request.set_request_hash("a");
    ASSERT_TRUE(test::run(under_.service.publish_version(ctx_, request)));

    request.set_request_hash("b");
    const auto reused = test::run(under_.service.publish_version(ctx_, request));

    ASSERT_FALSE(reused);
    EXPECT_EQ(reused.error().code(), ErrorCode::kIdempotencyKeyReused);
    EXPECT_EQ(get("", 0)->version().version(), 1);
}

}  // namespace
}  // namespace quire::prompts
