#pragma once

#include "services/prompts/generation.hpp"

namespace quire::prompts {

/// Before this process serves anything: settles what the journal of an earlier one says, be the
/// hold open or expired, and voids every other hold that no living process owns. Without effect on
/// what was settled before. kStorageUnavailable when the ledger or
/// the journal cannot be read or written.
awaitable<Result<void>> recover_holds(const GenerationDeps& deps);

}  // namespace quire::prompts
