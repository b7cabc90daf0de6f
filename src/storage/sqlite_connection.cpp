#include "storage/sqlite_connection.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

namespace quire::storage {
namespace {

constexpr int kBusyMillis = 5'000;
/// Of SQLite's machine, some microseconds each; counting a table or sorting is a single one.
constexpr int kStepsBetweenLooks = 10'000;
constexpr std::size_t kAddressesMax = 1'000;

/// Resets a kept statement when its use ends, so that it holds no lock.
class StatementUse {
public:
    explicit StatementUse(sqlite3_stmt* statement) : statement_(statement) {}
    ~StatementUse() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
    StatementUse(const StatementUse&) = delete;
    StatementUse& operator=(const StatementUse&) = delete;

private:
    sqlite3_stmt* statement_;
};

Value read_column(sqlite3_stmt* statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
            return std::int64_t{sqlite3_column_int64(statement, column)};
        case SQLITE_NULL:
            return std::monostate();
        default:
            break;
    }
    const void* bytes = sqlite3_column_blob(statement, column);
    const int size = sqlite3_column_bytes(statement, column);
    return std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

Row read_row(sqlite3_stmt* statement) {
    Values values;
    const int columns = sqlite3_column_count(statement);
    values.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) values.push_back(read_column(statement, i));
    return Row(std::move(values));
}

int bind_value(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return sqlite3_bind_int64(statement, index, *number);
    }
    if (std::holds_alternative<std::monostate>(value)) return sqlite3_bind_null(statement, index);
    const auto* own = std::get_if<std::string>(&value);
    const std::string_view text = own != nullptr ? *own : std::get<std::string_view>(value);
    // An empty view may have no address, which SQLite would read as NULL. The values outlive the
    // statement's use, which clears its bindings.
    return sqlite3_bind_text64(statement, index, text.empty() ? "" : text.data(), text.size(),
                               SQLITE_STATIC, SQLITE_UTF8);
}

/// SQLite counts what it allocates, under one lock for all connections of the process, at each
/// small allocation of each row. Nobody asks for the sum. Too late, it changes nothing.
void stop_counting_memory() {
    static const int status = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(status);
}

}  // namespace

void SqliteConnection::FinalizeStatement::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path,
                                                                 const std::string& vfs) {
    stop_counting_memory();
    sqlite3* handle = nullptr;
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int status =
        sqlite3_open_v2(path.c_str(), &handle, kFlags, vfs.empty() ? nullptr : vfs.c_str());
    std::unique_ptr<SqliteConnection> connection(new SqliteConnection(handle));
    if (status != SQLITE_OK) return connection->failed("open " + path);
    sqlite3_busy_timeout(handle, kBusyMillis);
    sqlite3_extended_result_codes(handle, 1);
    const auto configured = connection->run_script(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
    if (!configured) return Error(configured.error()).in(path);
    return connection;
}

void SqliteConnection::stop_when(const std::atomic<bool>& is_stopping) {
    const auto is_set = [](void* flag) {
        return static_cast<int>(static_cast<const std::atomic<bool>*>(flag)->load());
    };
    // SQLite hands the address back and does not write to it.
    auto* flag = const_cast<std::atomic<bool>*>(&is_stopping);
    sqlite3_progress_handler(handle_, kStepsBetweenLooks, is_set, flag);
}

SqliteConnection::~SqliteConnection() {
    prepared_.clear();
    sqlite3_close(handle_);
}

Error SqliteConnection::failed(std::string_view doing) const {
    const int code = sqlite3_extended_errcode(handle_);
    if (code == SQLITE_INTERRUPT) return {ErrorCode::kShuttingDown, "the process is stopping"};
    const bool is_duplicate =
        code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY;
    if (code == SQLITE_CONSTRAINT_FOREIGNKEY) {
        return {ErrorCode::kNotFound, fmt::format("cannot {}: what it names is not there", doing)};
    }
    return {is_duplicate ? ErrorCode::kAlreadyExists : ErrorCode::kStorageUnavailable,
            fmt::format("cannot {}: {}", doing, sqlite3_errmsg(handle_))};
}

Result<SqliteConnection::Prepared*> SqliteConnection::find_or_prepare(std::string_view sql) {
    // Statements are literals nearly always: one comparison instead of a walk through the map.
    if (by_address_.size() >= kAddressesMax) by_address_.clear();
    const auto [last, is_new] = by_address_.try_emplace(sql.data(), nullptr);
    if (!is_new && last->second->first == sql) return &last->second->second;
    const auto found = prepared_.find(sql);
    if (found != prepared_.end()) {
        last->second = &*found;
        return &found->second;
    }
    sqlite3_stmt* made = nullptr;
    const int status = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (status != SQLITE_OK) {
        by_address_.erase(last);
        return failed(fmt::format("prepare `{}`", sql));
    }
    const auto placed = prepared_.try_emplace(std::string(sql)).first;
    last->second = &*placed;
    Prepared& prepared = placed->second;
    prepared.statement.reset(made);
    // `$1` is a name to SQLite, numbered by its first use; ask for its place.
    const int parameters = sqlite3_bind_parameter_count(made);
    for (int i = 1; i <= parameters; ++i) {
        const std::string name = fmt::format("${}", i);
        prepared.places.push_back(sqlite3_bind_parameter_index(made, name.c_str()));
        QUIRE_ASSERT(prepared.places.back() > 0, "parameters are numbered without a gap");
    }
    return &prepared;
}

Result<sqlite3_stmt*> SqliteConnection::prepare(std::string_view sql, const Values& values) {
    QUIRE_TRY(Prepared* const prepared, find_or_prepare(sql));
    QUIRE_ASSERT(values.size() == prepared->places.size(),
                 "a statement has a parameter for each value");
    sqlite3_stmt* statement = prepared->statement.get();
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (bind_value(statement, prepared->places[i], values[i]) != SQLITE_OK) {
            return failed("bind");
        }
    }
    return statement;
}

Result<std::int64_t> SqliteConnection::execute(std::string_view sql, const Values& values) {
    QUIRE_TRY(sqlite3_stmt* const statement, prepare(sql, values));
    const StatementUse use(statement);
    int status = sqlite3_step(statement);
    while (status == SQLITE_ROW) status = sqlite3_step(statement);
    if (status != SQLITE_DONE) return failed("write");
    return std::int64_t{sqlite3_changes64(handle_)};
}

Result<std::vector<Row>> SqliteConnection::query(std::string_view sql, const Values& values) {
    QUIRE_TRY(sqlite3_stmt* const statement, prepare(sql, values));
    const StatementUse use(statement);
    std::vector<Row> rows;
    int status = sqlite3_step(statement);
    for (; status == SQLITE_ROW; status = sqlite3_step(statement)) {
        rows.push_back(read_row(statement));
    }
    if (status != SQLITE_DONE) return failed("read");
    return rows;
}

Result<void> SqliteConnection::run_script(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failed("run a script");
    }
    return {};
}

Result<void> SqliteConnection::begin(bool writes) {
    const auto done = execute(writes ? "BEGIN IMMEDIATE" : "BEGIN", {});
    if (!done) return done.error();
    return {};
}

Result<void> SqliteConnection::commit() {
    const auto done = execute("COMMIT", {});
    if (!done) return done.error();
    return {};
}

void SqliteConnection::roll_back() {
    // Fails only when SQLite has rolled back by itself, after a full disk for instance.
    const auto done = execute("ROLLBACK", {});
    ignore(done, "there may be no transaction left to roll back");
}

}  // namespace quire::storage
