#pragma once

#include "providers/provider.hpp"
#include "runtime/json.hpp"

#include <string_view>
#include <vector>

namespace quire::providers {

/// Turns what an OpenAI-compatible server answers into deltas, chunk by chunk or as a whole. Only
/// choice 0 is read: more than one is not asked for.
class AnswerReader {
public:
    /// One `data:` of a stream. kUpstreamError for garbage and for an error object.
    Result<void> read_event(std::string_view data);
    /// A plain answer.
    Result<void> read_whole(std::string_view body);

    /// What the last read brought.
    const std::vector<common::v1::Delta>& deltas() const { return deltas_; }
    /// `[DONE]` came.
    bool is_done() const { return is_done_; }
    /// A finish_reason came, so that the answer is whole.
    bool has_finished() const { return !completion_.finish_reason.empty(); }
    Completion completion() const { return completion_; }

private:
    void read_piece(const json::object& piece, const json::value* logprobs);
    void read_tool_calls(const json::value& calls);
    void read_usage(const json::object& body);

    std::vector<common::v1::Delta> deltas_;
    Completion completion_;
    bool is_done_ = false;
};

}  // namespace quire::providers
