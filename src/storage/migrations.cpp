#include "storage/migrations.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <utility>

namespace quire::storage {
namespace {

std::string checksum_of(std::string_view sql) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(sql.data()), sql.size(), digest.data());
    std::string hex;
    for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
    return hex;
}

Result<int> applied_version(Connection& connection, std::span<const Migration> migrations,
                            std::string_view store) {
    QUIRE_TRY(const auto rows, connection.query("SELECT version, checksum FROM schema_migrations "
                                                "ORDER BY version"));
    int version = 0;
    const int known = migrations.empty() ? 0 : migrations.back().version;
    for (const Row& row : rows) {
        const int previous = std::exchange(version, static_cast<int>(row.integer(0)));
        if (version > known) {
            return Error(ErrorCode::kStorageUnavailable,
                         fmt::format("{} has schema version {}, this program knows up to {}: run "
                                     "the newer program, or restore an older copy of the folder",
                                     store, version, known));
        }
        for (const Migration& step : migrations) {
            if (step.version > previous && step.version < version) {
                return Error(ErrorCode::kStorageUnavailable,
                             fmt::format("{} has schema version {} but never ran migration {}: it "
                                         "was made by another line of this program; restore a "
                                         "copy of the folder from before",
                                         store, version, step.version));
            }
            if (step.version == version && checksum_of(step.sql) != row.text(1)) {
                return Error(ErrorCode::kStorageUnavailable,
                             fmt::format("{}: migration {} was applied in another form than this "
                                         "program has it",
                                         store, version));
            }
        }
    }
    return version;
}

}  // namespace

Result<void> migrate(Connection& connection, std::span<const Migration> migrations,
                     std::string_view store, const Clock& clock) {
    QUIRE_TRY([[maybe_unused]] const auto made,
              connection.execute("CREATE TABLE IF NOT EXISTS schema_migrations ("
                                 "version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
                                 "checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"));
    // The write lock is taken first, so that two starts at once apply each step once.
    auto apply_all = [&](Connection& locked) -> Result<int> {
        QUIRE_TRY(int version, applied_version(locked, migrations, store));
        for (const Migration& step : migrations) {
            if (step.version <= version) continue;
            const auto applied = locked.run_script(std::string(step.sql));
            if (!applied) return Error(applied.error()).in(fmt::format("{} {}", store, step.name));
            QUIRE_TRY([[maybe_unused]] const auto noted,
                      locked.execute("INSERT INTO schema_migrations VALUES ($1, $2, $3, $4)",
                                     {std::int64_t{step.version}, std::string(step.name),
                                      checksum_of(step.sql), clock.now().micros}));
            version = step.version;
        }
        return version;
    };
    const auto migrated = in_transaction(connection, true, apply_all);
    if (!migrated) return migrated.error();
    return {};
}

Result<void> check_migrated(Connection& connection, std::span<const Migration> migrations,
                            std::string_view store) {
    QUIRE_TRY(const auto tables,
              connection.query("SELECT 1 FROM sqlite_master WHERE type = 'table' "
                               "AND name = 'schema_migrations'"));
    int version = 0;
    if (!tables.empty()) {
        QUIRE_TRY(version, applied_version(connection, migrations, store));
    }
    const int last = migrations.empty() ? 0 : migrations.back().version;
    if (version == last) return {};
    return Error(ErrorCode::kStorageUnavailable,
                 fmt::format("{} has schema version {}, this program's is {}: the next start of "
                             "`quire up` brings it there; until then use the older program",
                             store, version, last));
}

}  // namespace quire::storage
