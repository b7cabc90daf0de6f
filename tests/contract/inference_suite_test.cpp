#include "tests/contract/inference_suite.hpp"

#include "quire/inference/v1/inference_fake.hpp"
#include "quire/inference/v1/inference_rpc.hpp"
#include "services/inference/inference_module.hpp"
#include "tests/contract/port_suite.hpp"

#include <gtest/gtest.h>

namespace quire::test {
namespace {

using common::v1::ChatEvent;
using inference::Inference;
using inference::v1::GenerateRequest;
using ChatSink = rpc::Sink<ChatEvent>;

/// The service with models of its own.
class InferenceSubject final : public PortSubject<Inference> {
public:
    InferenceSubject() {
        wiring().set_settings(inference_contract_config());
        build(inference::make_inference);
    }
};

[[maybe_unused]] const bool kInferenceSuite =
    register_suite<InferenceSubject, inference::InferenceClient>("Inference", inference_cases(),
                                                                 inference::inference_methods);

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
    CaseNames failures() { return subject_.failures(fake_, inference_cases()); }

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
