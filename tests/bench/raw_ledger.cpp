#include "tests/bench/raw_ledger.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>

namespace quire::bench {
namespace {

constexpr std::int64_t kRevenueId = 2;
constexpr std::int64_t kAmount = 100;
constexpr std::int64_t kCost = 60;
constexpr std::size_t kPayloadBytes = 476;  // of a settled event as the ledger writes it

/// Places in `all_`.
enum Index { kBegin, kCommit, kTransfer, kHold, kUnhold, kEvent, kAccount };

constexpr const char* kStatements[] = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "INSERT INTO transfers (org_id, id, reference, slot, kind, debit_account, credit_account, "
    "pending, posted, at, description, price_version, input_tokens, output_tokens, "
    "cached_tokens, reasoning_tokens, is_estimated, project_id, key_id) VALUES (?, ?, ?, ?, ?, "
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (reference, slot) DO NOTHING",
    "INSERT INTO holds (request_id, hold_id, org_id, project_id, key_id, model, owner, "
    "idempotency_key, amount, output_tokens, price_version, expires_at) VALUES (?, ?, ?, ?, ?, "
    "?, ?, ?, ?, ?, ?, ?)",
    "DELETE FROM holds WHERE request_id = ?",
    "INSERT INTO outbox (event_id, type, subject, payload, traceparent, created_at) VALUES (?, "
    "?, ?, ?, ?, ?)",
    "UPDATE accounts SET debits_pending = debits_pending + ?2, debits_posted = debits_posted + "
    "?3, credits_pending = credits_pending + ?4, credits_posted = credits_posted + ?5 WHERE id = "
    "?1 AND (name <> 'prepaid' OR debits_pending + ?2 + debits_posted + ?3 <= credits_posted + "
    "?5) AND debits_pending >= ?6 AND debits_posted >= ?7 AND credits_pending >= ?8 AND "
    "credits_posted >= ?9",
};

[[noreturn]] void fail(sqlite3* handle) {
    fmt::print(stderr, "raw SQLite: {}\n", sqlite3_errmsg(handle));
    std::exit(1);
}

void bind(sqlite3_stmt* statement, int place, const std::string& text) {
    sqlite3_bind_text64(statement, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void bind(sqlite3_stmt* statement, int place, const char* text) {
    sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

void bind(sqlite3_stmt* statement, int place, std::int64_t number) {
    sqlite3_bind_int64(statement, place, number);
}

}  // namespace

RawLedger::RawLedger(const std::string& path) : payload_(kPayloadBytes, 'x') {
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &handle_, kFlags, nullptr) != SQLITE_OK) fail(handle_);
    const char* pragmas =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;";
    if (sqlite3_exec(handle_, pragmas, nullptr, nullptr, nullptr) != SQLITE_OK) fail(handle_);
    for (const char* sql : kStatements) all_.push_back(prepare(sql));
}

RawLedger::~RawLedger() {
    all_.clear();
    sqlite3_close(handle_);
}

RawLedger::Statement RawLedger::prepare(const char* sql) {
    sqlite3_stmt* made = nullptr;
    constexpr unsigned kKept = SQLITE_PREPARE_PERSISTENT;
    if (sqlite3_prepare_v3(handle_, sql, -1, kKept, &made, nullptr) != SQLITE_OK) fail(handle_);
    return {made, sqlite3_finalize};
}

void RawLedger::run(const Statement& statement) {
    int status = sqlite3_step(statement.get());
    while (status == SQLITE_ROW) status = sqlite3_step(statement.get());
    if (status != SQLITE_DONE) fail(handle_);
    sqlite3_reset(statement.get());
    sqlite3_clear_bindings(statement.get());
}

void RawLedger::begin() { run(all_[kBegin]); }

const std::string& RawLedger::next_id(const char* prefix) {
    id_.clear();
    fmt::format_to(std::back_inserter(id_), "{}_{:026}", prefix, ++count_);
    return id_;
}

void RawLedger::insert_transfer(const std::string& request_id, std::int64_t slot, const char* kind,
                                std::int64_t account, std::int64_t now) {
    sqlite3_stmt* row = all_[kTransfer].get();
    bind(row, 1, org_id_);
    bind(row, 2, next_id("txn"));
    bind(row, 3, request_id);
    bind(row, 4, slot);
    bind(row, 5, kind);
    bind(row, 6, account);
    bind(row, 7, kRevenueId);
    bind(row, 8, slot == 1 ? kAmount : -kAmount);
    bind(row, 9, slot == 1 ? std::int64_t{0} : kCost);
    bind(row, 10, now);
    bind(row, 11, "writer");
    bind(row, 12, std::int64_t{1});
    for (int place = 13; slot == 2 && place <= 17; ++place) bind(row, place, std::int64_t{20});
    if (slot == 1) {
        bind(row, 18, "prj_00000000000000000000000000");
        bind(row, 19, "key_00000000000000000000000000");
    }
    run(all_[kTransfer]);
}

void RawLedger::hold(const std::string& request_id, std::int64_t account, std::int64_t now) {
    org_id_ = fmt::format("org_{:026}", account - kFirstAccount);
    insert_transfer(request_id, 1, "hold", account, now);
    sqlite3_stmt* row = all_[kHold].get();
    bind(row, 1, request_id);
    bind(row, 2, request_id);
    bind(row, 3, org_id_);
    bind(row, 4, "prj_00000000000000000000000000");
    bind(row, 5, "key_00000000000000000000000000");
    bind(row, 6, "writer");
    bind(row, 7, "prompts@00000000000000000000000000");
    bind(row, 8, "");
    bind(row, 9, kAmount);
    bind(row, 10, std::int64_t{40});
    bind(row, 11, std::int64_t{1});
    bind(row, 12, now + 60'000'000);
    run(all_[kHold]);
    move(account, kAmount, 0);
}

void RawLedger::settle(const std::string& request_id, std::int64_t account, std::int64_t now) {
    org_id_ = fmt::format("org_{:026}", account - kFirstAccount);
    insert_transfer(request_id, 2, "usage", account, now);
    bind(all_[kUnhold].get(), 1, request_id);
    run(all_[kUnhold]);
    sqlite3_stmt* row = all_[kEvent].get();
    bind(row, 1, next_id("evt"));
    bind(row, 2, "quire.credits.settled.v1");
    bind(row, 3, request_id);
    bind(row, 4, payload_);
    bind(row, 5, "00-00000000000000000000000000000000-0000000000000000-01");
    bind(row, 6, now);
    run(all_[kEvent]);
    move(account, -kAmount, kCost);
}

void RawLedger::move(std::int64_t account, std::int64_t pending, std::int64_t posted) {
    moved_.push_back({account, pending, posted});
}

void RawLedger::update_account(std::int64_t account, const Moved& by, bool is_debit) {
    sqlite3_stmt* row = all_[kAccount].get();
    bind(row, 1, account);
    bind(row, is_debit ? 2 : 4, by.pending);
    bind(row, is_debit ? 3 : 5, by.posted);
    bind(row, is_debit ? 4 : 2, std::int64_t{0});
    bind(row, is_debit ? 5 : 3, std::int64_t{0});
    // The ledger compares with the balances that it knows.
    for (int place = 6; place <= 9; ++place) bind(row, place, std::int64_t{0});
    run(all_[kAccount]);
}

void RawLedger::commit() {
    const auto by_account = [](const Moved& a, const Moved& b) { return a.account < b.account; };
    std::sort(moved_.begin(), moved_.end(), by_account);
    Moved revenue{kRevenueId, 0, 0};
    for (std::size_t at = 0; at < moved_.size();) {
        Moved sum{moved_[at].account, 0, 0};
        for (; at < moved_.size() && moved_[at].account == sum.account; ++at) {
            sum.pending += moved_[at].pending;
            sum.posted += moved_[at].posted;
        }
        update_account(sum.account, sum, true);
        revenue.pending += sum.pending;
        revenue.posted += sum.posted;
    }
    update_account(kRevenueId, revenue, false);
    moved_.clear();
    run(all_[kCommit]);
}

}  // namespace quire::bench
