#include "tests/sim/store_image.hpp"

#include "quire/credits/v1/credits.pb.h"
#include "services/credits/credits_events.hpp"

#include <fmt/format.h>

#include <set>

namespace quire::sim {
namespace {

using credits::Slot;
using credits::TransferKind;
using storage::Row;

std::string account_name(const std::string& org_id, const std::string& name) {
    return org_id.empty() ? name : name + ":" + org_id;
}

Result<TransferKind> kind_named(const std::string& name) {
    for (const TransferKind kind :
         {TransferKind::kGrant, TransferKind::kHold, TransferKind::kUsage, TransferKind::kVoid,
          TransferKind::kExpire, TransferKind::kOverrun, TransferKind::kWriteOff}) {
        if (credits::name_of(kind) == name) return kind;
    }
    return Error(ErrorCode::kInternalError, "a transfer of the kind " + name);
}

/// The accounts' names by their id; fills in the balances.
Result<std::map<std::int64_t, std::string>> read_accounts(storage::Connection& connection,
                                                          StoreImage& into) {
    QUIRE_TRY(const auto rows,
              connection.query("SELECT id, org_id, name, debits_pending, debits_posted, "
                               "credits_pending, credits_posted FROM accounts"));
    std::map<std::int64_t, std::string> names;
    for (const Row& row : rows) {
        const std::string name = account_name(row.text(1), row.text(2));
        names[row.integer(0)] = name;
        into.balances[name] = {row.integer(3), row.integer(4), row.integer(5), row.integer(6)};
    }
    return names;
}

Result<void> read_entries(storage::Connection& connection,
                          const std::map<std::int64_t, std::string>& names, StoreImage& into) {
    QUIRE_TRY(const auto rows,
              connection.query("SELECT id, org_id, reference, slot, kind, debit_account, "
                               "credit_account, pending, posted, at, input_tokens, output_tokens, "
                               "cached_tokens, reasoning_tokens, is_estimated FROM transfers "
                               "ORDER BY seq"));
    for (const Row& row : rows) {
        QUIRE_TRY(const TransferKind kind, kind_named(row.text(4)));
        const auto debit = names.find(row.integer(5));
        const auto credit = names.find(row.integer(6));
        if (debit == names.end() || credit == names.end()) {
            return Error(ErrorCode::kInternalError, row.text(0) + " is of no account");
        }
        ReferenceEntry entry{row.text(1),    row.text(2),    static_cast<Slot>(row.integer(3)),
                             kind,           debit->second,  credit->second,
                             row.integer(7), row.integer(8), {row.integer(9)},
                             std::nullopt};
        if (!row.is_null(10)) {
            entry.usage = credits::TokenUsage{row.integer(10), row.integer(11), row.integer(12),
                                              row.integer(13), row.integer(14) != 0};
        }
        into.entries.push_back(std::move(entry));
        into.entry_ids.push_back(row.text(0));
    }
    return {};
}

std::string to_text(const ReferenceEntry& entry) {
    return fmt::format("{} {} slot {}: {} -> {} pending {} posted {} at {}",
                       credits::name_of(entry.kind), entry.reference, static_cast<int>(entry.slot),
                       entry.debit, entry.credit, entry.pending, entry.posted, entry.at.micros);
}

std::string to_text(const ReferenceBalance& balance) {
    return fmt::format("debits {} + {} pending, credits {} + {} pending", balance.debits_posted,
                       balance.debits_pending, balance.credits_posted, balance.credits_pending);
}

// ---- invariants ------------------------------------------------------------------------------

std::string check_balances(const StoreImage& store) {
    std::map<std::string, ReferenceBalance> fold;
    for (const ReferenceEntry& entry : store.entries) {
        fold[entry.debit].debits_pending += entry.pending;
        fold[entry.debit].debits_posted += entry.posted;
        fold[entry.credit].credits_pending += entry.pending;
        fold[entry.credit].credits_posted += entry.posted;
    }
    std::int64_t posted = 0, pending = 0;
    for (const auto& [name, balance] : store.balances) {
        posted += balance.debits_posted - balance.credits_posted;
        pending += balance.debits_pending - balance.credits_pending;
        if (!(balance == fold[name])) {
            return fmt::format("I3: {} has {}, its entries make {}", name, to_text(balance),
                               to_text(fold[name]));
        }
        if (name.starts_with("prepaid") &&
            balance.debits_posted + balance.debits_pending > balance.credits_posted) {
            return fmt::format("I4: {} is overdrawn: {}", name, to_text(balance));
        }
    }
    if (posted != 0) return fmt::format("I1: debits and credits differ by {}", posted);
    if (pending != 0) return fmt::format("I2: pending debits and credits differ by {}", pending);
    return "";
}

/// What the entries of one request say of it.
struct Story {
    std::int64_t held = -1;
    bool is_ended = false;
    int usages = 0;
};

std::string check_requests(const StoreImage& store) {
    std::map<std::string, Story> stories;
    std::set<std::pair<std::string, Slot>> filled;
    for (const ReferenceEntry& entry : store.entries) {
        if (!filled.emplace(entry.reference, entry.slot).second) {
            return "I8: a slot is filled twice: " + to_text(entry);
        }
        if (entry.slot == Slot::kGrant) continue;
        Story& story = stories[entry.reference];
        story.usages += entry.kind == TransferKind::kUsage;
        if (story.usages > 1) return "I8: settled twice: " + to_text(entry);
        if (entry.slot == Slot::kHold) story.held = entry.pending;
        if (story.held < 0) return "I5: nothing was held: " + to_text(entry);
        if (entry.slot != Slot::kResolution) continue;
        story.is_ended = true;
        if (entry.pending != -story.held || entry.posted > story.held) {
            return fmt::format("I5: {} was held: {}", story.held, to_text(entry));
        }
    }
    std::int64_t held = 0, debits_pending = 0;
    for (const auto& [id, hold] : store.holds) {
        const auto story = stories.find(id);
        if (story == stories.end() || story->second.is_ended || story->second.held != hold.first) {
            return "I6: an open hold is not in the log: " + id;
        }
        held += hold.first;
    }
    for (const auto& [name, balance] : store.balances) debits_pending += balance.debits_pending;
    if (held != debits_pending) {
        return fmt::format("I6: open holds are {}, pending is {}", held, debits_pending);
    }
    return "";
}

/// What an event tells: what was granted, or what a request cost; -1 for what is no such event.
std::int64_t amount_in(const StoreImage::Event& event) {
    if (event.type == credits::kSettledType) {
        credits::v1::Settled settled;
        return settled.ParseFromString(event.payload) ? settled.cost().amount() : -1;
    }
    credits::v1::Granted granted;
    return granted.ParseFromString(event.payload) ? granted.amount() : -1;
}

/// What each event must tell: by grant its amount, by request its cost, whoever bore it.
std::map<std::string, std::int64_t> amounts_to_tell(const StoreImage& store) {
    std::set<std::string> settled;
    std::map<std::string, std::int64_t> amounts;
    for (const ReferenceEntry& entry : store.entries) {
        if (entry.kind == TransferKind::kUsage) settled.insert(entry.reference);
    }
    for (std::size_t i = 0; i < store.entries.size(); ++i) {
        const ReferenceEntry& entry = store.entries[i];
        if (entry.kind == TransferKind::kGrant) amounts[store.entry_ids[i]] += entry.posted;
        if (settled.contains(entry.reference)) amounts[entry.reference] += entry.posted;
    }
    return amounts;
}

std::string check_events(const StoreImage& store) {
    std::map<std::string, std::int64_t> amounts = amounts_to_tell(store);
    for (std::size_t i = 0; i < store.events.size(); ++i) {
        const StoreImage::Event& event = store.events[i];
        if (event.sequence != static_cast<std::int64_t>(i) + 1) {
            return fmt::format("I9: the outbox has a hole before {}", event.sequence);
        }
        const auto found = amounts.find(event.subject);
        if (found == amounts.end()) return "I9: told twice, or never booked: " + event.subject;
        if (amount_in(event) != found->second) {
            return fmt::format("I10: {} is told as {}, {} is booked", event.subject,
                               amount_in(event), found->second);
        }
        amounts.erase(found);
    }
    return amounts.empty() ? "" : "I9: booked, not told: " + amounts.begin()->first;
}

std::string check_ids(const StoreImage& store) {
    for (std::size_t i = 1; i < store.entry_ids.size(); ++i) {
        if (store.entry_ids[i] <= store.entry_ids[i - 1]) {
            return "ids do not grow: " + store.entry_ids[i];
        }
    }
    return "";
}

/// Old keys may be gone, in the store by pruning.
std::string key_difference(const ReferenceKeys& there, const ReferenceLedger& reference) {
    for (const auto& [name, key] : there) {
        const auto wanted = reference.keys().find(name);
        if (wanted == reference.keys().end()) return "a key that nobody holds: " + name.second;
        if (key != wanted->second) return "a key of another request: " + name.second;
    }
    for (const auto& [name, key] : reference.keys()) {
        if (!there.contains(name) && !reference.may_drop(key)) return "lost: key " + name.second;
    }
    return "";
}

}  // namespace

Result<StoreImage> StoreImage::read(storage::Connection& connection) {
    StoreImage image;
    QUIRE_TRY(const auto names, read_accounts(connection, image));
    const auto entries = read_entries(connection, names, image);
    if (!entries) return entries.error();
    QUIRE_TRY(const auto holds,
              connection.query("SELECT request_id, amount, expires_at FROM holds"));
    for (const Row& row : holds) {
        image.holds[row.text(0)] = {row.integer(1), Timestamp{row.integer(2)}};
    }
    QUIRE_TRY(const auto keys, connection.query("SELECT project_id, key, request_hash, request_id, "
                                                "at FROM idempotency_keys"));
    for (const Row& row : keys) {
        image.keys[{row.text(0), row.text(1)}] = {row.text(2), row.text(3), {row.integer(4)}};
    }
    QUIRE_TRY(const auto events,
              connection.query("SELECT seq, type, subject, payload FROM outbox ORDER BY seq"));
    for (const Row& row : events) {
        image.events.push_back({row.integer(0), row.text(1), row.text(2), row.text(3)});
    }
    return image;
}

std::string broken_invariant(const StoreImage& store) {
    for (const auto check : {check_balances, check_requests, check_events, check_ids}) {
        std::string found = check(store);
        if (!found.empty()) return found;
    }
    return "";
}

std::string difference(const StoreImage& store, const ReferenceLedger& reference) {
    const std::vector<ReferenceEntry>& wanted = reference.entries();
    for (std::size_t i = 0; i < std::min(wanted.size(), store.entries.size()); ++i) {
        if (store.entries[i] == wanted[i]) continue;
        return fmt::format("entry {} is `{}`, should be `{}`", i + 1, to_text(store.entries[i]),
                           to_text(wanted[i]));
    }
    if (store.entries.size() < wanted.size()) {
        return "missing: " + to_text(wanted[store.entries.size()]);
    }
    if (store.entries.size() > wanted.size()) {
        return "too much: " + to_text(store.entries[wanted.size()]);
    }
    for (const auto& [name, balance] : reference.balances()) {
        const auto found = store.balances.find(name);
        const ReferenceBalance there =
            found == store.balances.end() ? ReferenceBalance() : found->second;
        if (there == balance) continue;
        return fmt::format("{} has {}, should have {}", name, to_text(there), to_text(balance));
    }
    if (store.holds != reference.open_holds()) return "the open holds are others";
    return key_difference(store.keys, reference);
}

}  // namespace quire::sim
