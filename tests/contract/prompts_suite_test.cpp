#include "tests/contract/prompts_suite.hpp"

#include "quire/credits/v1/credits_fake.hpp"
#include "quire/inference/v1/inference_fake.hpp"
#include "quire/prompts/v1/prompts_fake.hpp"
#include "quire/prompts/v1/prompts_rpc.hpp"
#include "quire/review/v1/review_fake.hpp"
#include "services/prompts/prompts_config.hpp"
#include "services/prompts/prompts_module.hpp"
#include "tests/contract/port_suite.hpp"
#include "tests/support/chat_events.hpp"

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using common::v1::ChatEvent;
using prompts::Prompts;
using namespace prompts::v1;

template <class Response>
awaitable<Result<Response>> answer_with(Response response) {
    co_return response;
}
template <class Response>
awaitable<Result<Response>> answer_with_nothing() {
    co_return Response();
}

constexpr std::int64_t kGrantedAtMost = 100;

/// An upstream that says again what it was asked last.
awaitable<Result<void>> say_again(inference::v1::GenerateRequest request,
                                  rpc::Sink<ChatEvent>& sink) {
    const auto& chat = request.request();
    if (chat.model() == "broken") co_return Error(ErrorCode::kUpstreamError, "it fails");
    ChatEvent started = started_event();
    started.mutable_started()->set_model(chat.model());
    ChatEvent finished = finished_event(chat.max_tokens() < kGrantedAtMost ? "length" : "stop");
    finished.mutable_finished()->mutable_usage()->set_input_tokens(3);
    finished.mutable_finished()->mutable_usage()->set_output_tokens(4);
    const std::string text = chat.messages(chat.messages_size() - 1).parts(0).text();
    for (const ChatEvent& event : {started, text_event(text), finished}) {
        const auto written = co_await sink.write(event);
        if (!written) co_return written.error();
    }
    co_return Result<void>();
}

/// The service over a store of its own, with the ledger, the review and the models of the suite.
class PromptsSubject final : public PortSubject<Prompts> {
public:
    PromptsSubject() {
        play_credits();
        play_upstream();
        review_->on_review_input = [](const auto&, const auto&) {
            return answer_with_nothing<review::v1::ReviewInputResponse>();
        };
        wiring().set_settings(prompts::ContentConfig());
        wiring().provide<credits::Credits>(credits_, {});
        wiring().provide<review::Review>(review_, {});
        wiring().provide<inference::Inference>(inference_, {});
        build(prompts::make_prompts);
    }

private:
    void play_credits() {
        credits_->on_list_open_holds = [](const auto&, const auto&) {
            return answer_with_nothing<credits::v1::ListOpenHoldsResponse>();
        };
        credits_->on_admit = [](const auto&, const auto& request) {
            const std::int64_t wanted = request.output_tokens_wanted();
            credits::v1::AdmitResponse response;
            response.set_outcome(credits::v1::AdmitResponse::ADMITTED);
            response.set_output_tokens_granted(wanted == 0 ? kGrantedAtMost
                                                           : std::min(wanted, kGrantedAtMost));
            return answer_with(response);
        };
        credits_->on_settle = [](const auto&, const auto&) {
            credits::v1::SettleResponse response;
            response.mutable_cost()->set_amount(kChargedForAll);
            return answer_with(response);
        };
        credits_->on_void_hold = [](const auto&, const auto&) {
            return answer_with_nothing<credits::v1::VoidHoldResponse>();
        };
    }
    void play_upstream() {
        inference_->on_generate = [](const auto&, const auto& request, rpc::Sink<ChatEvent>& sink) {
            return say_again(request, sink);
        };
        inference_->on_list_models = [](const auto&, const auto&) {
            inference::v1::ListModelsResponse response;
            for (const char* name : {"first", "second", "broken"}) {
                response.add_models()->set_name(name);
            }
            return answer_with(response);
        };
    }

    std::shared_ptr<credits::FakeCredits> credits_ = std::make_shared<credits::FakeCredits>();
    std::shared_ptr<review::FakeReview> review_ = std::make_shared<review::FakeReview>();
    std::shared_ptr<inference::FakeInference> inference_ =
        std::make_shared<inference::FakeInference>();
};

[[maybe_unused]] const bool kPromptsSuite = register_suite<PromptsSubject, prompts::PromptsClient>(
    "Prompts", prompts_cases(), prompts::prompts_methods);

/// A fake that passes every call on to the service, until a test plants a fault in it.
std::shared_ptr<prompts::FakePrompts> passing_on_to(Prompts& service) {
    auto fake = std::make_shared<prompts::FakePrompts>();
    const auto pass = [&service](auto method) {
        return [&service, method](const rpc::CallContext& ctx, const auto& request) {
            return (service.*method)(ctx, request);
        };
    };
    const auto pass_stream = [&service](auto method) {
        return [&service, method](const rpc::CallContext& ctx, const auto& request,
                                  rpc::Sink<ChatEvent>& sink) {
            return (service.*method)(ctx, request, sink);
        };
    };
    fake->on_chat = pass_stream(&Prompts::chat);
    fake->on_generate = pass_stream(&Prompts::generate);
    fake->on_publish_version = pass(&Prompts::publish_version);
    fake->on_list_prompts = pass(&Prompts::list_prompts);
    fake->on_get_prompt = pass(&Prompts::get_prompt);
    fake->on_set_label = pass(&Prompts::set_label);
    fake->on_list_models = pass(&Prompts::list_models);
    fake->on_read_outbox = pass(&Prompts::read_outbox);
    return fake;
}

class PromptsSuiteFaults : public testing::Test {
protected:
    CaseNames failures() { return subject_.failures(*fake_, prompts_cases()); }

    PromptsSubject subject_;
    Prompts& service_ = *subject_.port;
    std::shared_ptr<prompts::FakePrompts> fake_ = passing_on_to(service_);
};

TEST_F(PromptsSuiteFaults, AFakeThatPassesEverythingOnHasNone) {
    EXPECT_EQ(failures(), CaseNames());
}

awaitable<Result<PublishVersionResponse>> publish_without_labels(Prompts& port,
                                                                 rpc::CallContext ctx,
                                                                 PublishVersionRequest request) {
    request.clear_labels();
    co_return co_await port.publish_version(ctx, request);
}

TEST_F(PromptsSuiteFaults, SeesLabelsThatAreForgotten) {
    fake_->on_publish_version = [this](const rpc::CallContext& ctx, const auto& request) {
        return publish_without_labels(service_, ctx, request);
    };

    const CaseNames all = failures();

    for (const char* name :
         {"VersionsCountUpAndLabelsMove", "ALabelGoesBack", "BadVersionsAreRefusedWhole",
          "PagesShowEveryPromptOnce", "AGenerationRendersWhatProductionPointsAt"}) {
        EXPECT_NE(std::find(all.begin(), all.end(), name), all.end()) << name;
    }
}

awaitable<Result<SetLabelResponse>> point_at_nothing(Prompts& port, rpc::CallContext ctx,
                                                     SetLabelRequest request) {
    GetPromptRequest which;
    which.set_name(request.name());
    which.set_version(request.version());
    QUIRE_CO_TRY(const auto found, port.get_prompt(ctx, which));
    SetLabelResponse response;
    *response.mutable_version() = found.version();
    co_return response;
}

TEST_F(PromptsSuiteFaults, SeesALabelThatStaysWhereItWas) {
    fake_->on_set_label = [this](const rpc::CallContext& ctx, const auto& request) {
        return point_at_nothing(service_, ctx, request);
    };

    EXPECT_EQ(failures(), (CaseNames{"ALabelGoesBack", "AVersionIsChosenOneWay",
                                     "ALabelThatMovesIsLiveAtOnce"}));
}

awaitable<Result<void>> generate_for(Prompts& port, rpc::CallContext ctx, GenerateCall call,
                                     rpc::Sink<ChatEvent>& sink) {
    co_return co_await port.generate(ctx, call, sink);
}

TEST_F(PromptsSuiteFaults, SeesTheNewestWhereProductionIsMeant) {
    fake_->on_generate = [this](const rpc::CallContext& ctx, GenerateCall call,
                                rpc::Sink<ChatEvent>& sink) {
        const bool is_default = call.label().empty() && call.version() == 0;
        if (is_default && call.prompt() == "post") call.set_version(2);
        return generate_for(service_, ctx, std::move(call), sink);
    };

    const CaseNames all = failures();

    EXPECT_NE(std::find(all.begin(), all.end(), "AGenerationRendersWhatProductionPointsAt"),
              all.end());
}

TEST_F(PromptsSuiteFaults, SeesAModelThatIsIgnored) {
    fake_->on_generate = [this](const rpc::CallContext& ctx, GenerateCall call,
                                rpc::Sink<ChatEvent>& sink) {
        call.clear_model();
        return generate_for(service_, ctx, std::move(call), sink);
    };

    EXPECT_EQ(failures(), CaseNames{"TheCallersModelAndLimitComeFirst"});
}

TEST_F(PromptsSuiteFaults, SeesALimitThatIsIgnored) {
    fake_->on_generate = [this](const rpc::CallContext& ctx, GenerateCall call,
                                rpc::Sink<ChatEvent>& sink) {
        if (call.max_output_tokens() > 0) call.clear_max_output_tokens();
        return generate_for(service_, ctx, std::move(call), sink);
    };

    EXPECT_EQ(failures(), CaseNames{"TheCallersModelAndLimitComeFirst"});
}

TEST_F(PromptsSuiteFaults, SeesVariablesThatAreRendered) {
    fake_->on_generate = [this](const rpc::CallContext& ctx, GenerateCall call,
                                rpc::Sink<ChatEvent>& sink) {
        std::string& variables = *call.mutable_variables_json();
        const auto at = variables.find("{{ 7 * 7 }}");
        if (at != variables.npos) variables.replace(at, 11, "49");
        return generate_for(service_, ctx, std::move(call), sink);
    };

    EXPECT_EQ(failures(), CaseNames{"VariablesStayText"});
}

TEST_F(PromptsSuiteFaults, SeesVariablesThatAreMadeUp) {
    fake_->on_generate = [this](const rpc::CallContext& ctx, GenerateCall call,
                                rpc::Sink<ChatEvent>& sink) {
        if (call.variables_json().empty()) call.set_variables_json(R"({"topic":""})");
        return generate_for(service_, ctx, std::move(call), sink);
    };

    EXPECT_EQ(failures(), CaseNames{"BadGenerationsAreRefused"});
}

awaitable<Result<PublishVersionResponse>> publish_without_model(Prompts& port, rpc::CallContext ctx,
                                                                PublishVersionRequest request) {
    request.clear_model();
    co_return co_await port.publish_version(ctx, request);
}

TEST_F(PromptsSuiteFaults, SeesAVersionThatLosesItsModel) {
    fake_->on_publish_version = [this](const rpc::CallContext& ctx, const auto& request) {
        return publish_without_model(service_, ctx, request);
    };

    EXPECT_EQ(failures(),
              (CaseNames{"AVersionKeepsAllItWasGiven", "TheCallersModelAndLimitComeFirst"}));
}

TEST_F(PromptsSuiteFaults, SeesModelsThatAreNotListed) {
    fake_->on_list_models = [](const auto&, const auto&) {
        return answer_with_nothing<ListModelsResponse>();
    };

    EXPECT_EQ(failures(), CaseNames{"ModelsAreListedForTheCaller"});
}

/// An answer that tells no cost.
class Free final : public rpc::Sink<ChatEvent> {
public:
    explicit Free(rpc::Sink<ChatEvent>& next) : next_(next) {}
    awaitable<Result<void>> write(const ChatEvent& event) override {
        ChatEvent changed = event;
        if (changed.has_finished()) changed.mutable_finished()->clear_cost();
        co_return co_await next_.write(changed);
    }

private:
    rpc::Sink<ChatEvent>& next_;
};

awaitable<Result<void>> chat_for_free(Prompts& port, rpc::CallContext ctx, ChatCall call,
                                      rpc::Sink<ChatEvent>& sink) {
    Free free(sink);
    co_return co_await port.chat(ctx, call, free);
}

TEST_F(PromptsSuiteFaults, SeesACostThatIsNotTold) {
    fake_->on_chat = [this](const rpc::CallContext& ctx, const ChatCall& call,
                            rpc::Sink<ChatEvent>& sink) {
        return chat_for_free(service_, ctx, call, sink);
    };

    EXPECT_EQ(failures(), CaseNames{"AChatIsAnsweredAndCharged"});
}

awaitable<Result<GetPromptResponse>> get_for(Prompts& port, rpc::CallContext ctx,
                                             GetPromptRequest request) {
    co_return co_await port.get_prompt(ctx, request);
}

TEST_F(PromptsSuiteFaults, SeesThePromptsOfOthers) {
    rpc::CallContext last_author;
    fake_->on_publish_version = [&](const rpc::CallContext& ctx, const auto& request) {
        last_author = ctx;
        return service_.publish_version(ctx, request);
    };
    fake_->on_get_prompt = [&](const rpc::CallContext&, const auto& request) {
        return get_for(service_, last_author, request);
    };

    EXPECT_EQ(failures(), CaseNames{"ForeignAndUnknownPromptsAreNotFoundAlike"});
}

awaitable<Result<common::v1::OutboxPage>> read_twice(Prompts& port, rpc::CallContext ctx,
                                                     common::v1::ReadOutboxRequest request) {
    QUIRE_CO_TRY(auto page, port.read_outbox(ctx, request));
    if (!page.events().empty()) *page.add_events() = page.events(page.events_size() - 1);
    co_return page;
}

TEST_F(PromptsSuiteFaults, SeesEventsThatComeTwice) {
    fake_->on_read_outbox = [this](const rpc::CallContext& ctx, const auto& request) {
        return read_twice(service_, ctx, request);
    };

    EXPECT_EQ(failures(), (CaseNames{"WhatHappensIsToldOnce", "AnIdThatComesTwiceStopsNothing"}));
}

}  // namespace
}  // namespace quire::test
