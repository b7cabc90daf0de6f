#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quire::storage {

/// A parameter or a column: NULL, integer, text. Bytes travel as text. A parameter may be a view of
/// what outlives the statement; columns are strings.
class Value : public std::variant<std::monostate, std::int64_t, std::string, std::string_view> {
public:
    using variant::variant;
    // NOLINTNEXTLINE(google-explicit-constructor): a literal is a parameter like any other
    Value(const char* text) : variant(std::string_view(text)) {}
};
using Values = std::vector<Value>;

/// One row of an answer. A column of another type reads as 0 or "".
class Row {
public:
    explicit Row(Values values) : values_(std::move(values)) {}
    std::int64_t integer(std::size_t column) const;
    const std::string& text(std::size_t column) const;
    bool is_null(std::size_t column) const;

private:
    Values values_;
};

/// One connection to a store, used by one thread at a time. SQL is the portable subset with `$1`
/// parameters. Errors: kAlreadyExists for a unique key, kNotFound for a row that names
/// what is not there, else kStorageUnavailable.
class Connection {
public:
    virtual ~Connection() = default;
    /// A statement without an answer; gives the number of rows changed.
    virtual Result<std::int64_t> execute(std::string_view sql, const Values& values) = 0;
    virtual Result<std::vector<Row>> query(std::string_view sql, const Values& values) = 0;
    /// Several statements without parameters, for migrations.
    virtual Result<void> run_script(const std::string& sql) = 0;

    virtual Result<void> begin(bool writes) = 0;
    virtual Result<void> commit() = 0;
    virtual void roll_back() = 0;

    Result<std::int64_t> execute(std::string_view sql) { return execute(sql, {}); }
    Result<std::vector<Row>> query(std::string_view sql) { return query(sql, {}); }
};

/// Runs `work(connection)` between BEGIN and COMMIT; an Error from it rolls back.
template <class Work>
auto in_transaction(Connection& connection, bool writes, Work& work) -> decltype(work(connection)) {
    const auto begun = connection.begin(writes);
    if (!begun) return begun.error();
    auto result = work(connection);
    if (!result) {
        connection.roll_back();
        return result;
    }
    const auto committed = connection.commit();
    if (!committed) {
        connection.roll_back();
        return committed.error();
    }
    return result;
}

}  // namespace quire::storage
