#pragma once

#include "quire/prompts/v1/prompts.pb.h"
#include "runtime/rpc/stream.hpp"

#include <map>
#include <optional>

namespace quire::prompts {

/// Gathers the events of an answer so that it can be given again: one delta per channel and tool
/// call. Gives up above `kBytesMax`; such an answer is not replayed.
class AnswerRecord {
public:
    static constexpr std::size_t kBytesMax = 8 * 1024 * 1024;

    void add(const common::v1::ChatEvent& event);
    /// nullopt when there was too much of it.
    std::optional<v1::StoredAnswer> finish(const common::v1::Finished& finished) const;

private:
    common::v1::Started started_;
    std::map<int, std::string> texts_;  ///< by channel
    std::map<int, common::v1::ToolCallDelta> tool_calls_;
    std::size_t bytes_ = 0;
};

/// Gives a stored answer again, as that of `request_id`: free of charge, and said to be a replay.
awaitable<Result<void>> replay(const v1::StoredAnswer& answer, const std::string& request_id,
                               rpc::Sink<common::v1::ChatEvent>& sink);

}  // namespace quire::prompts
