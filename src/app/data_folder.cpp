#include "app/data_folder.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quire::app {

namespace fs = std::filesystem;

Result<std::unique_ptr<DataFolder>> DataFolder::lock(const fs::path& path) {
    std::error_code ec;
    const bool is_made = fs::create_directories(path, ec);
    if (ec) {
        return Error(
            ErrorCode::kStorageUnavailable,
            fmt::format("cannot make the data folder {}: {}", path.string(), ec.message()));
    }
    // A folder that was there may hold other people's files; what is made in it is private anyway.
    if (is_made) fs::permissions(path, fs::perms::owner_all, ec);
    const fs::path file = path / "quire.lock";
    const int lock = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
        return Error(ErrorCode::kStorageUnavailable,
                     fmt::format("cannot write to the data folder {}", path.string()));
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            const std::string why = std::strerror(errno);
            close(lock);
            return Error(ErrorCode::kStorageUnavailable,
                         fmt::format("cannot lock {}: {}", file.string(), why));
        }
        std::array<char, 32> holder{};
        const ssize_t size = read(lock, holder.data(), holder.size() - 1);
        close(lock);
        const std::string process = size > 0 ? holder.data() : "unknown";
        return Error(ErrorCode::kStorageUnavailable,
                     fmt::format("the data folder {} is in use by process {}; stop it, or choose "
                                 "another folder with --data",
                                 path.string(), process))
            .with_detail(kHolder, process);
    }
    const std::string pid = std::to_string(getpid());
    const bool is_noted = ftruncate(lock, 0) == 0 &&
                          write(lock, pid.data(), pid.size()) == static_cast<ssize_t>(pid.size());
    if (!is_noted) {
        close(lock);
        return Error(ErrorCode::kStorageUnavailable,
                     fmt::format("cannot write to {}; is the disk full?", file.string()));
    }
    return std::unique_ptr<DataFolder>(new DataFolder(path, lock));
}

DataFolder::~DataFolder() { close(lock_); }

bool DataFolder::is_there() const {
    struct stat ours {};
    struct stat found {};
    const fs::path file = path_ / "quire.lock";
    // What cannot be looked at, for the moment or for us, may well be there.
    if (stat(file.c_str(), &found) != 0) return errno != ENOENT && errno != ENOTDIR;
    if (fstat(lock_, &ours) != 0) return true;
    return ours.st_dev == found.st_dev && ours.st_ino == found.st_ino;
}

fs::path default_data_folder(const config::Environment& environment) {
    const auto xdg = environment.find("XDG_DATA_HOME");
    if (xdg != environment.end() && !xdg->second.empty()) return fs::path(xdg->second) / "quire";
    const auto home = environment.find("HOME");
    const fs::path base = home == environment.end() ? fs::path(".") : fs::path(home->second);
    return base / ".local" / "share" / "quire";
}

fs::path socket_path(const fs::path& data) { return data / "quire.sock"; }

}  // namespace quire::app
