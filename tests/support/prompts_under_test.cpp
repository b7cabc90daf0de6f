#include "tests/support/prompts_under_test.hpp"

#include "services/prompts/prompts_schema.hpp"

namespace quire::test {

PromptsUnderTest::PromptsUnderTest() {
    const auto made = prompts::migrate_prompts(database->writer(), "prompts.db", clock);
    EXPECT_TRUE(made);
    credits->on_admit = [this](const rpc::CallContext&, const credits::v1::AdmitRequest& request) {
        return admit(request);
    };
    credits->on_settle = [this](const rpc::CallContext&,
                                const credits::v1::SettleRequest& request) {
        return settle(request);
    };
    review->on_review_input =
        [](const auto&, const auto&) -> awaitable<Result<review::v1::ReviewInputResponse>> {
        co_return review::v1::ReviewInputResponse();
    };
    credits->on_void_hold = [this](const rpc::CallContext&,
                                   const credits::v1::VoidHoldRequest& request) {
        return void_hold(request);
    };
}

PromptsUnderTest::~PromptsUnderTest() {
    settlements.stop();
    journal.stop();
}

credits::v1::AdmitResponse PromptsUnderTest::granted(std::int64_t tokens) {
    credits::v1::AdmitResponse response;
    response.set_outcome(credits::v1::AdmitResponse::ADMITTED);
    response.set_output_tokens_granted(tokens);
    return response;
}

awaitable<Result<credits::v1::AdmitResponse>> PromptsUnderTest::admit(
    const credits::v1::AdmitRequest& request) {
    admitted.push_back(request);
    if (admit_refusal) co_return *admit_refusal;
    co_return admission;
}

awaitable<Result<credits::v1::SettleResponse>> PromptsUnderTest::settle(
    const credits::v1::SettleRequest& request) {
    const auto refusal = std::exchange(settle_refusal, std::nullopt);
    if (refusal) co_return *refusal;
    settled.push_back(request);
    credits::v1::SettleResponse response;
    response.mutable_cost()->set_amount(7);
    co_return response;
}

awaitable<Result<credits::v1::VoidHoldResponse>> PromptsUnderTest::void_hold(
    const credits::v1::VoidHoldRequest& request) {
    voided.push_back(request.request_id());
    co_return credits::v1::VoidHoldResponse();
}

}  // namespace quire::test
