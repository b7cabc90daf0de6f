#pragma once

#include "providers/openai/tool_call_reader.hpp"
#include "providers/provider.hpp"
#include "runtime/json.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::providers {

/// Turns what an OpenAI-compatible server answers into deltas, chunk by chunk or as a whole. Only
/// choice 0 is read: more than one is not asked for.
class AnswerReader {
public:
    /// `secrets` are what no message may show.
    explicit AnswerReader(std::span<const std::string> secrets = {}) : secrets_(secrets) {}

    /// One `data:` of a stream. kUpstreamError for garbage and for an error object, but for one
    /// whose code is a status from 400 to 499 and which comes before any delta: that means what it
    /// would as the answer's own.
    Result<void> read_event(std::string_view data);
    /// A plain answer.
    Result<void> read_whole(std::string_view body);

    /// What the last read brought.
    const std::vector<common::v1::Delta>& deltas() const { return deltas_; }
    /// `[DONE]` came.
    bool is_done() const { return is_done_; }
    /// A finish_reason came, so that the answer is whole.
    bool has_finished() const { return !completion_.finish_reason.empty(); }
    /// Its finish_reason is one of OpenAI's, whatever the provider's was.
    Completion completion() const;

private:
    Result<const json::object*> object_of(const Result<json::value>& parsed,
                                          std::string_view text) const;
    void read_piece(const json::object& piece, const json::value* logprobs);
    bool add_text(common::v1::Channel channel, std::string text);
    /// kUpstreamError for a reason that means a failure.
    Result<void> end_with(std::string_view reason);
    void read_usage(const json::object& body);

    std::span<const std::string> secrets_;
    ToolCallReader tool_calls_;
    std::vector<common::v1::Delta> deltas_;
    Completion completion_;
    bool has_content_ = false;
    bool is_done_ = false;
};

}  // namespace quire::providers
