#include "tests/contract/inference_suite.hpp"

#include "quire/inference/v1/inference_fake.hpp"
#include "quire/inference/v1/inference_rpc.hpp"
#include "runtime/wiring.hpp"
#include "services/inference/inference_module.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wired.hpp"

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using common::v1::ChatEvent;
using inference::Inference;
using inference::v1::GenerateRequest;
using ChatSink = rpc::Sink<ChatEvent>;

/// The service with models of its own.
class InferenceSubject {
public:
    InferenceSubject() {
        wiring_.set_settings(inference_contract_config());
        auto made = inference::make_inference(wiring_);
        EXPECT_TRUE(made);
        if (made) module_ = *std::move(made);
        auto offered = wiring_.need<Inference>("inference");
        EXPECT_TRUE(offered);
        if (offered) port = *std::move(offered);
    }
    ~InferenceSubject() {
        if (module_) module_->stop();
        loops_.stop();
    }
    InferenceSubject(const InferenceSubject&) = delete;
    InferenceSubject& operator=(const InferenceSubject&) = delete;

    /// On a loop of the service: connections to upstreams belong to loops.
    std::string check(const InferenceCase& rule, Inference& through) {
        return run_on(loops_.loop(0), check_case(rule, through));
    }

    std::shared_ptr<Inference> port;

private:
    TemporaryFolder folder_;
    runtime::EventLoops loops_{1};
    SystemClock clock_;
    SystemRng rng_;
    runtime::Wiring wiring_{loops_, clock_, rng_, folder_.path()};
    std::unique_ptr<runtime::Module> module_;
};

class InferenceContract : public testing::TestWithParam<InferenceCase> {};

TEST_P(InferenceContract, Holds) {
    InferenceSubject subject;

    EXPECT_EQ(subject.check(GetParam(), *subject.port), "");
}

INSTANTIATE_TEST_SUITE_P(Service, InferenceContract, testing::ValuesIn(inference_cases()),
                         [](const auto& instance) { return instance.param.name; });

/// The same through the generated client, gRPC's wire and the generated server.
class InferenceOverTheWire : public testing::TestWithParam<InferenceCase> {};

TEST_P(InferenceOverTheWire, Holds) {
    const InferenceSubject subject;
    Wired wired(inference::inference_methods(*subject.port));
    inference::InferenceClient client(wired.channel);

    EXPECT_EQ(wired.run(check_case(GetParam(), client)), "");
}

INSTANTIATE_TEST_SUITE_P(Wire, InferenceOverTheWire, testing::ValuesIn(inference_cases()),
                         [](const auto& instance) { return instance.param.name; });

/// Hands events on as a test changes them; one that is changed to nothing is dropped.
class Changed final : public ChatSink {
public:
    using Change = std::function<void(ChatEvent&)>;
    Changed(ChatSink& next, Change change) : next_(next), change_(std::move(change)) {}
    awaitable<Result<void>> write(const ChatEvent& event) override {
        ChatEvent changed = event;
        change_(changed);
        if (changed.event_case() == ChatEvent::EVENT_NOT_SET) co_return Result<void>();
        co_return co_await next_.write(changed);
    }

private:
    ChatSink& next_;
    Change change_;
};

awaitable<Result<void>> generate_changed(Inference& port, const rpc::CallContext& ctx,
                                         GenerateRequest request, ChatSink& sink,
                                         Changed::Change change) {
    Changed changed(sink, std::move(change));
    co_return co_await port.generate(ctx, request, changed);
}

/// A service with a fault: a fake that passes every call on until a test plants one.
class InferenceSuiteFaults : public testing::Test {
protected:
    InferenceSuiteFaults() {
        fake_.on_list_models = [this](const rpc::CallContext& ctx, const auto& request) {
            return service_.list_models(ctx, request);
        };
        fake_.on_generate = [this](const rpc::CallContext& ctx, const GenerateRequest& request,
                                   ChatSink& sink) {
            return service_.generate(ctx, request, sink);
        };
    }
    void change_events(Changed::Change change) {
        fake_.on_generate = [this, change](const rpc::CallContext& ctx,
                                           const GenerateRequest& request, ChatSink& sink) {
            return generate_changed(service_, ctx, request, sink, change);
        };
    }
    void change_requests(std::function<void(common::v1::ChatRequest&)> change) {
        fake_.on_generate = [this, change](const rpc::CallContext& ctx, GenerateRequest request,
                                           ChatSink& sink) {
            change(*request.mutable_request());
            return generate_changed(service_, ctx, std::move(request), sink, [](ChatEvent&) {});
        };
    }
    /// The cases that fail; `failures_of` runs them where no upstream can be called.
    CaseNames failures() {
        CaseNames failed;
        for (const InferenceCase& rule : inference_cases()) {
            if (!subject_.check(rule, fake_).empty()) failed.push_back(rule.name);
        }
        return failed;
    }

    InferenceSubject subject_;
    Inference& service_ = *subject_.port;
    inference::FakeInference fake_;
};

TEST_F(InferenceSuiteFaults, AFakeThatPassesEverythingOnHasNone) {
    EXPECT_EQ(failures(), CaseNames());
}

awaitable<Result<inference::v1::ListModelsResponse>> list_backwards(
    Inference& port, const rpc::CallContext& ctx, const inference::v1::ListModelsRequest& all) {
    QUIRE_CO_TRY(auto listed, port.list_models(ctx, all));
    std::reverse(listed.mutable_models()->begin(), listed.mutable_models()->end());
    co_return listed;
}

TEST_F(InferenceSuiteFaults, SeesModelsInAnotherOrder) {
    fake_.on_list_models = [this](const rpc::CallContext& ctx, const auto& request) {
        return list_backwards(service_, ctx, request);
    };

    EXPECT_EQ(failures(), CaseNames{"ModelsAreListedInTheirOrder"});
}

TEST_F(InferenceSuiteFaults, SeesAnAnswerWithoutItsStart) {
    change_events([](ChatEvent& event) {
        if (event.has_started()) event.Clear();
    });

    const CaseNames all = failures();

    EXPECT_NE(std::find(all.begin(), all.end(), "AnAnswerStartsTellsAndEnds"), all.end());
}

TEST_F(InferenceSuiteFaults, SeesUsageThatIsLost) {
    change_events([](ChatEvent& event) {
        if (event.has_finished()) event.mutable_finished()->clear_usage();
    });

    EXPECT_EQ(failures(), (CaseNames{"AnAnswerStartsTellsAndEnds", "TheRequestsLimitEndsIt"}));
}

TEST_F(InferenceSuiteFaults, SeesALimitThatIsForgotten) {
    change_requests([](auto& request) { request.clear_max_tokens(); });

    EXPECT_EQ(failures(), CaseNames{"TheRequestsLimitEndsIt"});
}

TEST_F(InferenceSuiteFaults, SeesAModelThatStandsInForAnother) {
    change_requests([](auto& request) {
        if (request.model() == "writter") request.set_model("writer");
    });

    EXPECT_EQ(failures(), CaseNames{"AnUnknownModelIsRefused"});
}

TEST_F(InferenceSuiteFaults, SeesAQueueWithoutEnd) {
    change_requests([](auto& request) {
        if (request.model() == "single") request.set_model("stuck");
    });

    EXPECT_EQ(failures(), CaseNames{"WhereNobodyMayWaitOneMoreIsRefused"});
}

awaitable<Result<void>> generate_in_vain(Inference& port, const rpc::CallContext& ctx,
                                         const GenerateRequest& request, ChatSink& sink) {
    const auto ended = co_await port.generate(ctx, request, sink);
    ignore(ended, "the planted fault: every end is a good one");
    co_return Result<void>();
}

TEST_F(InferenceSuiteFaults, SeesErrorsThatAreSwallowed) {
    fake_.on_generate = [this](const rpc::CallContext& ctx, const GenerateRequest& request,
                               ChatSink& sink) {
        return generate_in_vain(service_, ctx, request, sink);
    };

    EXPECT_EQ(failures(), (CaseNames{"AnUnknownModelIsRefused", "AnUpstreamThatIsNotThereIsAnError",
                                     "TheReadersRefusalEndsIt",
                                     "WhereNobodyMayWaitOneMoreIsRefused", "AWaitEnds"}));
}

}  // namespace
}  // namespace quire::test
