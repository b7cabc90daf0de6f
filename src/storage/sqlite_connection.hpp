#pragma once

#include "storage/connection.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace quire::storage {

/// SQLite in WAL mode with synchronous=FULL, foreign keys on, five seconds of patience for locks.
/// Statements are prepared once and kept. `vfs` names a registered file system; "" is the
/// machine's.
class SqliteConnection final : public Connection {
public:
    static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path,
                                                          const std::string& vfs = "");
    ~SqliteConnection() override;

    /// From now on statements that run long end with kShuttingDown soon after `is_stopping` is set,
    /// by any thread. It outlives the connection.
    void stop_when(const std::atomic<bool>& is_stopping);

    using Connection::execute;
    using Connection::query;
    Result<std::int64_t> execute(std::string_view sql, const Values& values) override;
    Result<std::vector<Row>> query(std::string_view sql, const Values& values) override;
    Result<void> run_script(const std::string& sql) override;
    Result<void> begin(bool writes) override;
    Result<void> commit() override;
    void roll_back() override;

private:
    explicit SqliteConnection(sqlite3* handle) : handle_(handle) {}
    Result<sqlite3_stmt*> prepare(std::string_view sql, const Values& values);
    Error failed(std::string_view doing) const;

    struct FinalizeStatement {
        void operator()(sqlite3_stmt* statement) const;
    };
    struct Prepared {
        std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement;
        std::vector<int> places;  ///< SQLite's number of the parameter `$1`, `$2`, …
    };
    Result<Prepared*> find_or_prepare(std::string_view sql);

    sqlite3* handle_;
    std::map<std::string, Prepared, std::less<>> prepared_;
    std::unordered_map<const char*, decltype(prepared_)::value_type*> by_address_;
};

}  // namespace quire::storage
