#pragma once

#include "services/prompts/generation.hpp"

namespace quire::prompts {

/// Resolves every hold that no living process owns, before this one serves anything: settled as its
/// stored answer or its last checkpoint says, else voided. kStorageUnavailable when the ledger or
/// the journal cannot be read or written.
awaitable<Result<void>> recover_holds(const GenerationDeps& deps);

}  // namespace quire::prompts
