#pragma once

#include "runtime/async.hpp"
#include "runtime/blocking_pool.hpp"
#include "storage/connection.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

namespace quire::storage {

/// How many threads and waiting jobs a service's store has.
struct PoolSizes {
    std::size_t readers = 2;
    std::size_t waiting_max = 1024;
};

/// A service's store: one writing connection, some reading ones, each on its own pool thread, so
/// that the event loops never block. `work` is `Result<T>(Connection&)` and runs inside one
/// transaction; an Error from it rolls back. Safe from any loop.
class Database {
public:
    /// Opens (or makes) the SQLite file.
    static Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, PoolSizes sizes);

    template <class Work>
    awaitable<std::invoke_result_t<Work&, Connection&>> write(Work work) {
        auto job = [this, &work] { return in_transaction(*writer_, true, work); };
        auto result = co_await writing_.run(std::move(job));
        co_return result;
    }

    template <class Work>
    awaitable<std::invoke_result_t<Work&, Connection&>> read(Work work) {
        auto job = [this, &work]() -> std::invoke_result_t<Work&, Connection&> {
            const Reader reader(*this);
            return in_transaction(*reader, false, work);
        };
        auto result = co_await reading_.run(std::move(job));
        co_return result;
    }

    /// For start-up, before the loops serve anything: blocks the calling thread.
    template <class Work>
    std::invoke_result_t<Work&, Connection&> write_blocking(Work work) {
        return in_transaction(*writer_, true, work);
    }
    Connection& writer() { return *writer_; }

private:
    Database(std::unique_ptr<Connection> writer, std::vector<std::unique_ptr<Connection>> readers,
             const std::string& name, PoolSizes sizes);

    /// Borrows one of the reading connections; there are as many as reading threads.
    class Reader {
    public:
        explicit Reader(Database& database);
        ~Reader();
        Reader(const Reader&) = delete;
        Reader& operator=(const Reader&) = delete;
        Connection& operator*() const { return *connection_; }

    private:
        Database& database_;
        std::unique_ptr<Connection> connection_;
    };

    std::unique_ptr<Connection> writer_;
    std::mutex readers_mutex_;
    std::vector<std::unique_ptr<Connection>> readers_;
    runtime::BlockingPool writing_;
    runtime::BlockingPool reading_;
};

}  // namespace quire::storage
