#pragma once

#include "quire/credits/v1/credits_fake.hpp"
#include "quire/inference/v1/inference_fake.hpp"
#include "quire/review/v1/review_fake.hpp"
#include "services/prompts/prompts_service.hpp"
#include "storage/outbox.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <string>
#include <vector>

namespace quire::test {

/// The prompt-engine with a ledger that admits everything and notes what it is asked, and an
/// inference that the test sets.
class PromptsUnderTest {
public:
    PromptsUnderTest() {
        const auto made = database->writer().run_script(
            "CREATE TABLE journal (request_id TEXT PRIMARY KEY, settle TEXT, updated_at INTEGER);"
            "CREATE TABLE outcomes (org_id TEXT, project_id TEXT, request_id TEXT PRIMARY KEY, "
            "settle TEXT, answer TEXT, expires_at INTEGER);" +
            std::string(storage::kOutboxTable));
        EXPECT_TRUE(made);
        credits->on_admit = [this](const rpc::CallContext&,
                                   const credits::v1::AdmitRequest& request) {
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
    ~PromptsUnderTest() {
        settlements.stop();
        journal.stop();
    }

    std::shared_ptr<credits::FakeCredits> credits = std::make_shared<credits::FakeCredits>();
    std::shared_ptr<review::FakeReview> review = std::make_shared<review::FakeReview>();
    std::shared_ptr<inference::FakeInference> inference =
        std::make_shared<inference::FakeInference>();
    std::vector<credits::v1::AdmitRequest> admitted;
    std::vector<credits::v1::SettleRequest> settled;
    std::vector<std::string> voided;
    std::optional<Error> admit_refusal;
    std::optional<Error> settle_refusal;  ///< of the next settlement only
    credits::v1::AdmitResponse admission = granted(100);

    static credits::v1::AdmitResponse granted(std::int64_t tokens) {
        credits::v1::AdmitResponse response;
        response.set_outcome(credits::v1::AdmitResponse::ADMITTED);
        response.set_output_tokens_granted(tokens);
        return response;
    }

    TemporaryFolder folder;
    ManualClock clock;
    runtime::EventLoops loops{1};
    std::unique_ptr<storage::Database> database =
        *storage::Database::open_sqlite(folder.path() / "prompts.db", {});
    prompts::Journal journal{*database, loops, clock};
    prompts::Settlements settlements{credits, journal};
    prompts::PromptsService service{
        prompts::GenerationDeps{credits, review, inference, settlements, journal, clock, "me"}};

private:
    awaitable<Result<credits::v1::AdmitResponse>> admit(const credits::v1::AdmitRequest& request) {
        admitted.push_back(request);
        if (admit_refusal) co_return *admit_refusal;
        co_return admission;
    }
    awaitable<Result<credits::v1::SettleResponse>> settle(
        const credits::v1::SettleRequest& request) {
        const auto refusal = std::exchange(settle_refusal, std::nullopt);
        if (refusal) co_return *refusal;
        settled.push_back(request);
        credits::v1::SettleResponse response;
        response.mutable_cost()->set_amount(7);
        co_return response;
    }
    awaitable<Result<credits::v1::VoidHoldResponse>> void_hold(
        const credits::v1::VoidHoldRequest& request) {
        voided.push_back(request.request_id());
        co_return credits::v1::VoidHoldResponse();
    }
};

}  // namespace quire::test
