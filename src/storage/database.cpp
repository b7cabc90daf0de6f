#include "storage/database.hpp"

#include "storage/sqlite_connection.hpp"

#include <filesystem>

namespace quire::storage {

Result<std::unique_ptr<Database>> Database::open_sqlite(const std::string& path, PoolSizes sizes) {
    QUIRE_TRY(std::unique_ptr<Connection> writer, SqliteConnection::open(path));
    std::vector<std::unique_ptr<Connection>> readers;
    for (std::size_t i = 0; i < sizes.readers; ++i) {
        QUIRE_TRY(auto reader, SqliteConnection::open(path));
        readers.push_back(std::move(reader));
    }
    const std::string name = std::filesystem::path(path).filename();
    return std::unique_ptr<Database>(
        new Database(std::move(writer), std::move(readers), name, sizes));
}

Database::Database(std::unique_ptr<Connection> writer,
                   std::vector<std::unique_ptr<Connection>> readers, const std::string& name,
                   PoolSizes sizes)
    : writer_(std::move(writer)),
      readers_(std::move(readers)),
      writing_("write " + name, 1, sizes.waiting_max),
      reading_("read " + name, sizes.readers, sizes.waiting_max) {}

Database::Reader::Reader(Database& database) : database_(database) {
    const std::lock_guard lock(database_.readers_mutex_);
    QUIRE_ASSERT(!database_.readers_.empty(), "one reading connection per reading thread");
    connection_ = std::move(database_.readers_.back());
    database_.readers_.pop_back();
}

Database::Reader::~Reader() {
    const std::lock_guard lock(database_.readers_mutex_);
    database_.readers_.push_back(std::move(connection_));
}

}  // namespace quire::storage
