#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace quire::bench {

/// Of the organizations, which are numbered in the order of their accounts.
inline constexpr std::int64_t kFirstAccount = 4;

/// The ledger's statements in the ledger's order, by SQLite's own C interface and nothing else: no
/// decisions, no answers, ids by counting, payloads ready made. What the ledger is measured by.
class RawLedger {
public:
    /// A store that the ledger's migrations have made.
    explicit RawLedger(const std::string& path);
    ~RawLedger();
    RawLedger(const RawLedger&) = delete;
    RawLedger& operator=(const RawLedger&) = delete;

    void begin();
    void hold(const std::string& request_id, std::int64_t account, std::int64_t now);
    void settle(const std::string& request_id, std::int64_t account, std::int64_t now);
    /// Updates every account that moved, once, and commits.
    void commit();

private:
    using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;
    struct Moved {
        std::int64_t account;
        std::int64_t pending;
        std::int64_t posted;
    };

    Statement prepare(const char* sql);
    void run(const Statement& statement);
    void move(std::int64_t account, std::int64_t pending, std::int64_t posted);
    void insert_transfer(const std::string& request_id, std::int64_t slot, const char* kind,
                         std::int64_t account, std::int64_t now);
    void update_account(std::int64_t account, const Moved& by, bool is_debit);
    const std::string& next_id(const char* prefix);

    sqlite3* handle_ = nullptr;
    std::vector<Statement> all_;
    std::vector<Moved> moved_;
    std::string id_;
    std::string org_id_;
    std::string payload_;
    std::int64_t count_ = 0;
};

}  // namespace quire::bench
