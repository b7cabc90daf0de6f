#include "tests/contract/prompts_suite.hpp"

#include "quire/credits/v1/credits_fake.hpp"
#include "quire/inference/v1/inference_fake.hpp"
#include "quire/prompts/v1/prompts_fake.hpp"
#include "quire/prompts/v1/prompts_rpc.hpp"
#include "quire/review/v1/review_fake.hpp"
#include "runtime/wiring.hpp"
#include "services/prompts/prompts_config.hpp"
#include "services/prompts/prompts_module.hpp"
#include "tests/support/chat_events.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wired.hpp"

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

/// An upstream that says again what it was asked last.
awaitable<Result<void>> say_again(inference::v1::GenerateRequest request,
                                  rpc::Sink<ChatEvent>& sink) {
    const auto& chat = request.request();
    if (chat.model() == "broken") co_return Error(ErrorCode::kUpstreamError, "it fails");
    ChatEvent started = started_event();
    started.mutable_started()->set_model(chat.model());
    ChatEvent finished = finished_event();
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
class PromptsSubject {
public:
    PromptsSubject() {
        play_credits();
        play_upstream();
        review_->on_review_input = [](const auto&, const auto&) {
            return answer_with_nothing<review::v1::ReviewInputResponse>();
        };
        wiring_.set_settings(prompts::ContentConfig());
        wiring_.provide<credits::Credits>(credits_, {});
        wiring_.provide<review::Review>(review_, {});
        wiring_.provide<inference::Inference>(inference_, {});
        auto made = prompts::make_prompts(wiring_);
        EXPECT_TRUE(made);
        if (made) module_ = *std::move(made);
        auto offered = wiring_.need<Prompts>("prompts");
        EXPECT_TRUE(offered);
        if (offered) port = *std::move(offered);
        EXPECT_TRUE(module_->start());
    }
    ~PromptsSubject() {
        if (module_) module_->stop();
        loops_.stop();
    }
    PromptsSubject(const PromptsSubject&) = delete;
    PromptsSubject& operator=(const PromptsSubject&) = delete;

    std::shared_ptr<Prompts> port;

private:
    void play_credits() {
        credits_->on_list_open_holds = [](const auto&, const auto&) {
            return answer_with_nothing<credits::v1::ListOpenHoldsResponse>();
        };
        credits_->on_admit = [](const auto&, const auto&) {
            credits::v1::AdmitResponse response;
            response.set_outcome(credits::v1::AdmitResponse::ADMITTED);
            response.set_output_tokens_granted(100);
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

    TemporaryFolder folder_;
    runtime::EventLoops loops_{1};
    SystemClock clock_;
    SystemRng rng_;
    runtime::Wiring wiring_{loops_, clock_, rng_, folder_.path()};
    std::shared_ptr<credits::FakeCredits> credits_ = std::make_shared<credits::FakeCredits>();
    std::shared_ptr<review::FakeReview> review_ = std::make_shared<review::FakeReview>();
    std::shared_ptr<inference::FakeInference> inference_ =
        std::make_shared<inference::FakeInference>();
    std::unique_ptr<runtime::Module> module_;
};

class PromptsContract : public testing::TestWithParam<PromptsCase> {};

TEST_P(PromptsContract, Holds) {
    const PromptsSubject subject;

    EXPECT_EQ(run(check_case(GetParam(), *subject.port)), "");
}

INSTANTIATE_TEST_SUITE_P(Service, PromptsContract, testing::ValuesIn(prompts_cases()),
                         [](const auto& instance) { return instance.param.name; });

/// The same through the generated client, gRPC's wire and the generated server.
class PromptsOverTheWire : public testing::TestWithParam<PromptsCase> {};

TEST_P(PromptsOverTheWire, Holds) {
    const PromptsSubject subject;
    Wired wired(prompts::prompts_methods(*subject.port));
    prompts::PromptsClient client(wired.channel);

    EXPECT_EQ(wired.run(check_case(GetParam(), client)), "");
}

INSTANTIATE_TEST_SUITE_P(Wire, PromptsOverTheWire, testing::ValuesIn(prompts_cases()),
                         [](const auto& instance) { return instance.param.name; });

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
    CaseNames failures() {
        CaseNames all;
        for (const PromptsCase& rule : prompts_cases()) all.push_back(rule.name);
        return failures_of(*fake_, prompts_cases(), all);
    }

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
