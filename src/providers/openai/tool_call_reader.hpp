#pragma once

#include "quire/common/v1/chat.pb.h"
#include "runtime/json.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quire::providers {

/// Tells the tool calls of one answer apart, whatever index the server gives them, and makes deltas
/// of their pieces as clients expect them: numbered from 0 in the order in which calls begin, the
/// first piece of each with id, type and name, and no other with them.
class ToolCallReader {
public:
    /// Appends the pieces of one `tool_calls`, of a chunk or of a whole message. Calls of custom
    /// tools are passed over.
    void read(const json::value& list, std::vector<common::v1::Delta>& out);
    bool has_calls() const { return begun_ > 0; }

private:
    struct Piece {
        std::string_view id;
        std::string_view type;
        std::string_view name;
        std::string arguments;
    };
    /// The newest call of a place.
    struct Call {
        std::int32_t index = 0;
        std::string id;
        std::string type;
        std::string name;
        std::int64_t named_in = 0;  ///< the list, counted from 1
        bool is_over = false;       ///< a name that comes now is another call's
    };

    void add(std::int64_t place, Piece piece, std::vector<common::v1::Delta>& out);
    bool begins_another(const Call& call, const Piece& piece) const;

    std::map<std::int64_t, Call> calls_;  ///< by the server's index
    std::int32_t begun_ = 0;
    std::int64_t lists_ = 0;
};

}  // namespace quire::providers
