#pragma once

#include "base/result.hpp"
#include "services/credits/ledger_store.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace quire::credits {

/// The operator's accounts, as the first migration numbers them.
constexpr std::int64_t kIssuedId = 1;
constexpr std::int64_t kRevenueId = 2;
constexpr std::int64_t kWriteOffId = 3;

/// The balances in memory: what the batch that runs has made of them, beside what the last commit
/// left. Lines of the ledger move them here; the store's follow once, at the batch's end.
class Accounts {
public:
    Result<void> load(LedgerStore& store);
    void forget();

    const AccountRow& at(std::int64_t id) const { return accounts_.at(id).now; }
    /// The prepaid account of an organization; nullptr where it has none.
    const AccountRow* find(const std::string& org_id) const;
    /// The same, opened where it has none.
    Result<const AccountRow*> find_or_open(LedgerStore& store, const std::string& org_id);
    /// What a new hold may take.
    Money available(const std::string& org_id) const;

    /// Moves the line's money, pending and posted, from its debit to its credit account.
    void move(const TransferRow& line);
    /// Writes what the batch has moved. kInternalError as of `LedgerStore::update_account`.
    Result<void> write(LedgerStore& store);
    /// What was written is committed.
    void keep();

private:
    struct Account {
        AccountRow stored;
        AccountRow now;
    };

    std::unordered_map<std::int64_t, Account> accounts_;
    std::unordered_map<std::string, std::int64_t> prepaid_ids_;
    std::vector<std::int64_t> touched_;  ///< by the batch that runs
};

}  // namespace quire::credits
