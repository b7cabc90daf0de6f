#pragma once

#include "storage/connection.hpp"

#include <map>
#include <memory>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace quire::storage {

/// SQLite in WAL mode with synchronous=FULL, foreign keys on, five seconds of patience for locks.
/// Statements are prepared once and kept.
class SqliteConnection final : public Connection {
public:
    static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path);
    ~SqliteConnection() override;

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
    sqlite3* handle_;
    std::map<std::string, std::unique_ptr<sqlite3_stmt, FinalizeStatement>, std::less<>> prepared_;
};

}  // namespace quire::storage
