#pragma once

#include "quire/credits/v1/credits_fake.hpp"
#include "quire/inference/v1/inference_fake.hpp"
#include "quire/review/v1/review_fake.hpp"
#include "services/prompts/prompts_service.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temporary_folder.hpp"

#include <string>
#include <vector>

namespace quire::test {

/// The prompt-engine with a ledger that admits everything and notes what it is asked, and an
/// inference that the test sets.
class PromptsUnderTest {
public:
    PromptsUnderTest();
    ~PromptsUnderTest();

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

    static credits::v1::AdmitResponse granted(std::int64_t tokens);

    TemporaryFolder folder;
    ManualClock clock;
    runtime::EventLoops loops{1};
    std::unique_ptr<storage::Database> database =
        *storage::Database::open_sqlite(folder.path() / "prompts.db", {});
    prompts::Journal journal{*database, loops, clock};
    prompts::Settlements settlements{credits, journal};
    prompts::PromptsService service{
        prompts::GenerationDeps{credits, review, inference, settlements, journal, clock, "me"},
        *database};

private:
    awaitable<Result<credits::v1::AdmitResponse>> admit(const credits::v1::AdmitRequest& request);
    awaitable<Result<credits::v1::SettleResponse>> settle(
        const credits::v1::SettleRequest& request);
    awaitable<Result<credits::v1::VoidHoldResponse>> void_hold(
        const credits::v1::VoidHoldRequest& request);
};

}  // namespace quire::test
