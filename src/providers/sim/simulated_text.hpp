#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quire::providers {

/// Text that looks like prose and says plainly that it is simulated: the same for the same seed and
/// prompt. One token is one word with the space before it. After saying so it repeats what a prompt
/// with `Repeat: ` has behind it, so that what an answer contains can be chosen.
class SimulatedText {
public:
    struct Options {
        std::uint64_t seed = 1;
        std::int64_t tokens = 120;               ///< of the whole answer
        std::optional<std::int64_t> tokens_max;  ///< the request's limit
        std::vector<std::string> stop;           ///< the request's stop sequences
    };

    SimulatedText(std::string_view prompt, const Options& options);

    const std::vector<std::string>& tokens() const { return tokens_; }
    /// `stop`, or `length` when the limit cut it.
    std::string_view finish_reason() const { return is_cut_ ? "length" : "stop"; }

private:
    void cut_at_stops(const std::vector<std::string>& stops);

    std::vector<std::string> tokens_;
    bool is_cut_ = false;
};

/// The words of a text: how the simulator counts, in and out alike.
std::int64_t count_words(std::string_view text);

}  // namespace quire::providers
