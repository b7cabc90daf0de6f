#include "services/review/review_module.hpp"

#include "quire/review/v1/review_rpc.hpp"
#include "services/review/review_service.hpp"

namespace quire::review {

Result<std::unique_ptr<runtime::Module>> make_review(runtime::Wiring& wiring) {
    auto policies = Policies::compile(wiring.settings<ReviewConfig>());
    if (!policies) return Error(policies.error()).in("review");
    auto service = std::make_shared<ReviewService>(*std::move(policies));
    wiring.provide<Review>(service, review_methods(*service));
    return std::make_unique<runtime::Module>();
}

}  // namespace quire::review
