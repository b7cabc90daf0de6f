#pragma once

#include "runtime/wiring.hpp"
#include "services/credits/ledger_checks.hpp"

#include <filesystem>
#include <memory>

namespace quire::credits {

/// Opens credits.db, brings the price book up to the configuration, looks at the invariants that
/// are quick to check (the rest follow in the background), and offers the port `Credits`. Errors:
/// kStorageUnavailable.
Result<std::unique_ptr<runtime::Module>> make_credits(runtime::Wiring& wiring);

/// The invariants of the ledger in a data folder that no process has open.
Result<LedgerReport> verify_ledger(const std::filesystem::path& data);

}  // namespace quire::credits
