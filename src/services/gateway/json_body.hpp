#pragma once

#include "base/result.hpp"
#include "runtime/json.hpp"

#include <array>
#include <memory>
#include <string_view>

namespace quire::gateway {

/// A body's JSON tree, for as long as a handler reads it: it takes up to twenty times the memory of
/// its text, and an answer may take minutes.
class JsonBody {
public:
    /// kInvalidJson, also for what is no object.
    Result<void> parse(std::string_view text);
    void drop() { tree_.reset(); }
    const json::object& operator*() const { return tree_->value.get_object(); }

private:
    struct Tree {
        Tree() : resource(arena.data(), arena.size()), value(json::storage_ptr(&resource)) {}

        std::array<unsigned char, 8192> arena;
        json::monotonic_resource resource;
        json::value value;
    };

    std::unique_ptr<Tree> tree_;
};

}  // namespace quire::gateway
