#pragma once

#include "base/clock.hpp"
#include "quire/credits/v1/credits.pb.h"
#include "quire/prompts/v1/prompts.pb.h"
#include "runtime/rpc/stream.hpp"
#include "services/prompts/journal.hpp"
#include "services/prompts/usage_estimate.hpp"

#include <limits>
#include <optional>
#include <string>

namespace quire::prompts {

/// Stands where the upstream's events come in: counts what was produced, notes it in the journal
/// every 2 s or 256 tokens, passes everything on but the end, which is kept until it is paid for,
/// and but what is for the request log alone.
class Meter final : public rpc::Sink<common::v1::ChatEvent> {
public:
    Meter(const rpc::CallContext& ctx, const v1::ChatCall& call, Journal& journal,
          const Clock& clock, rpc::Sink<common::v1::ChatEvent>& next);

    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override;

    /// The tokens of output that were held, and that the provider was told as the limit: no guess
    /// is above it, and a provider that goes on to twice as much is left.
    void limit_output(std::int64_t tokens) { output_limit_ = tokens; }
    /// The provider was left for that: the answer ends here, for its length.
    bool is_too_long() const { return is_too_long_; }
    /// Whether upstream produced anything: then it is charged, whatever happens after.
    bool has_content() const { return has_content_; }
    /// What was waited for where nothing came.
    const std::optional<common::v1::Unanswered>& unanswered() const { return unanswered_; }
    /// The provider's reason, or ours; "" before the end.
    std::string finish_reason() const;
    /// The provider's count, else (or where it makes no sense) the guess. `0` is a count, absent is
    /// not.
    common::v1::Usage usage() const;
    common::v1::Usage estimated_usage() const;
    /// How the request is settled with this usage.
    credits::v1::SettleRequest settlement(const common::v1::Usage& usage, std::string_view status,
                                          std::string_view finish_reason) const;

private:
    awaitable<Result<void>> keep_end(const common::v1::ChatEvent& event);
    awaitable<Result<void>> keep_unanswered(const common::v1::ChatEvent& event);
    awaitable<Result<void>> leave_provider();
    void note_progress();

    const rpc::CallContext& ctx_;
    const v1::ChatCall& call_;
    Journal& journal_;
    const Clock& clock_;
    rpc::Sink<common::v1::ChatEvent>& next_;
    UsageEstimate estimate_;
    std::string provider_;
    std::int64_t output_limit_ = std::numeric_limits<std::int64_t>::max();
    bool is_too_long_ = false;
    bool has_content_ = false;
    std::optional<common::v1::Finished> finished_;
    std::optional<common::v1::Unanswered> unanswered_;
    SteadyTime noted_at_;
    std::int64_t noted_tokens_ = 0;
};

}  // namespace quire::prompts
