#pragma once

#include "base/clock.hpp"
#include "quire/prompts/v1/prompts.pb.h"
#include "runtime/rpc/call_context.hpp"
#include "services/prompts/prompts_config.hpp"
#include "services/prompts/reviewed_output.hpp"

#include <string>
#include <string_view>

namespace quire::prompts {

/// When the last step of the edge ended, after the request's start; steps that cannot be count 0.
std::chrono::microseconds edge_took(const v1::ChatCall& call);

/// What ended a call that was cancelled: its deadline, the stop of the process, else its client.
Error cause_of(const Error& error, const rpc::CallContext& ctx, SteadyTime now);

/// What will be told of one request once it is over. Delivery shows it what the caller sees.
/// Everything is noted in memory; nothing waits for it.
class Story {
public:
    /// Of each of the two texts; what is longer is cut.
    static constexpr std::size_t kTextBytesMax = 64 * 1024;

    Story(const rpc::CallContext& ctx, const v1::ChatCall& call, const ContentConfig& content,
          const Clock& clock);

    /// A step that began then and ends now.
    void add_step(std::string_view name, SteadyTime from);
    /// What goes upstream, which begins now.
    void begin_upstream(const common::v1::ChatRequest& request);
    /// Ended as the answer says, whatever the caller is told.
    void set_blocked() { is_blocked_ = true; }

    /// An event on its way to the caller.
    void note(const common::v1::ChatEvent& event);
    void note_unanswered(const common::v1::Unanswered& unanswered);

    /// The whole of it. Called once, at the end.
    v1::GenerationStory end(const Result<void>& done, const ReviewNotes& notes);

private:
    template <class Message>
    void note_upstream(const Message& message);
    void set_error(const Error& error);

    const rpc::CallContext& ctx_;
    const Clock& clock_;
    v1::GenerationStory told_;
    SteadyTime origin_;  ///< of the request at the edge
    SteadyTime upstream_began_;
    bool has_content_;
    bool is_blocked_ = false;
    bool is_answered_ = false;
};

}  // namespace quire::prompts
