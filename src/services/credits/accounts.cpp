#include "services/credits/accounts.hpp"

#include <algorithm>

namespace quire::credits {

Result<void> Accounts::load(LedgerStore& store) {
    QUIRE_TRY(const auto rows, store.load_accounts());
    for (const AccountRow& row : rows) {
        accounts_.emplace(row.id, Account{row, row});
        if (row.name == AccountName::kPrepaid) prepaid_ids_.emplace(row.org_id, row.id);
    }
    return {};
}

void Accounts::forget() {
    accounts_.clear();
    prepaid_ids_.clear();
    touched_.clear();
}

const AccountRow* Accounts::find(const std::string& org_id) const {
    const auto known = prepaid_ids_.find(org_id);
    return known == prepaid_ids_.end() ? nullptr : &at(known->second);
}

Result<const AccountRow*> Accounts::find_or_open(LedgerStore& store, const std::string& org_id) {
    if (const AccountRow* known = find(org_id)) return known;
    AccountRow row;
    row.id = static_cast<std::int64_t>(accounts_.size()) + 1;
    row.org_id = org_id;
    const auto inserted = store.insert_account(row);
    if (!inserted) return inserted.error();
    accounts_.emplace(row.id, Account{row, row});
    prepaid_ids_.emplace(org_id, row.id);
    return &at(row.id);
}

Money Accounts::available(const std::string& org_id) const {
    const AccountRow* known = find(org_id);
    return known ? known->available() : Money();
}

void Accounts::move(const TransferRow& line) {
    for (const std::int64_t id : {line.debit_account, line.credit_account}) touched_.push_back(id);
    AccountRow& debited = accounts_.at(line.debit_account).now;
    debited.debits_pending += line.pending.micros;
    debited.debits_posted += line.posted.micros;
    AccountRow& credited = accounts_.at(line.credit_account).now;
    credited.credits_pending += line.pending.micros;
    credited.credits_posted += line.posted.micros;
}

Result<void> Accounts::write(LedgerStore& store) {
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
    for (const std::int64_t id : touched_) {
        const Account& account = accounts_.at(id);
        if (account.stored == account.now) continue;
        const auto updated = store.update_account(account.stored, account.now);
        if (!updated) return updated;
    }
    return {};
}

void Accounts::keep() {
    for (const std::int64_t id : touched_) {
        Account& account = accounts_.at(id);
        account.stored = account.now;
    }
    touched_.clear();
}

}  // namespace quire::credits
