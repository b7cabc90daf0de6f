#pragma once

#include "base/result.hpp"
#include "runtime/config/node.hpp"

#include <filesystem>
#include <memory>

namespace quire::app {

/// The folder of one process, locked while it runs. kStorageUnavailable when another process has
/// it (its pid is the detail kHolder) or it cannot be made.
class DataFolder {
public:
    static constexpr const char* kHolder = "holder";

    static Result<std::unique_ptr<DataFolder>> lock(const std::filesystem::path& path);
    ~DataFolder();
    DataFolder(const DataFolder&) = delete;
    DataFolder& operator=(const DataFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    /// False once somebody has removed, moved or replaced the folder: what is written now is lost.
    bool is_there() const;

private:
    DataFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

    std::filesystem::path path_;
    int lock_;
};

/// `$XDG_DATA_HOME/quire`, else `~/.local/share/quire`.
std::filesystem::path default_data_folder(const config::Environment& environment);
/// Where the running process answers the command line.
std::filesystem::path socket_path(const std::filesystem::path& data);

}  // namespace quire::app
