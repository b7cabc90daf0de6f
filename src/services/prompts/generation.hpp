#pragma once

#include "base/clock.hpp"
#include "quire/inference/v1/inference_port.hpp"
#include "quire/prompts/v1/prompts_port.hpp"
#include "quire/review/v1/review_port.hpp"
#include "services/prompts/hold.hpp"
#include "services/prompts/journal.hpp"
#include "services/prompts/prompts_config.hpp"

namespace quire::prompts {

/// What every generation shares.
struct GenerationDeps {
    std::shared_ptr<credits::Credits> credits;
    std::shared_ptr<review::Review> review;
    std::shared_ptr<inference::Inference> inference;
    Settlements& settlements;
    Journal& journal;
    const Clock& clock;
    std::string owner;  ///< of the holds that this process makes
    ContentConfig content{};
};

/// One generation from the caller's messages to the last event; read `run` first. Whatever happens,
/// the hold ends: settled with what upstream produced, or released when it produced nothing.
/// docs/guides/what-is-billed.md has the rule for every ending. All arguments outlive it.
awaitable<Result<void>> run_generation(const GenerationDeps& deps, const rpc::CallContext& ctx,
                                       const v1::ChatCall& call,
                                       rpc::Sink<common::v1::ChatEvent>& sink);

/// kAlreadyExists: the hold and the story of this id are another request's.
Error runs_already(const std::string& request_id);

/// Puts into the request log what ended before it could run: an unknown prompt, a variable that is
/// missing.
void tell_refusal(const GenerationDeps& deps, const rpc::CallContext& ctx, const v1::ChatCall& call,
                  const Error& error);

}  // namespace quire::prompts
