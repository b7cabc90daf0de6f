#pragma once

#include "quire/common/v1/chat.pb.h"

#include <cstdint>

namespace quire::prompts {

/// What a generation is taken to have used when the provider's count never came: prompt
/// ceil(bytes / 4) + 4 per message, a part that is no text at most 1,000; output the larger of the
/// non-empty deltas of any channel and ceil(bytes / 4). Always marked `estimated`.
class UsageEstimate {
public:
    explicit UsageEstimate(const common::v1::ChatRequest& request);

    void add(const common::v1::Delta& delta);
    std::int64_t output_tokens() const;
    /// What surely came, however the provider cuts its pieces: some send a character each, some
    /// many words (and then this says little).
    std::int64_t least_output_tokens() const;
    common::v1::Usage usage() const;

private:
    std::int64_t input_tokens_;
    std::int64_t deltas_ = 0;
    std::int64_t output_bytes_ = 0;
};

}  // namespace quire::prompts
