#include "providers/sim/simulated_text.hpp"

#include "base/rng.hpp"

#include <algorithm>
#include <array>

namespace quire::providers {
namespace {

constexpr std::array<std::string_view, 14> kNotice{
    "This", "is",    "simulated", "text", "from",     "Quire,", "not",
    "the",  "words", "of",        "a",    "language", "model.", "Imagine:"};
constexpr std::array<std::string_view, 40> kWords{
    "a",     "quiet", "morning", "the",     "garden", "over",   "roofs",    "and",
    "honey", "light", "people",  "who",     "work",   "with",   "patience", "find",
    "that",  "small", "things",  "grow",    "into",   "larger", "ones",     "while",
    "bees",  "write", "their",   "letters", "in",     "wax",    "every",    "season",
    "asks",  "for",   "another", "plan",    "some",   "rain",   "helps",    "too"};
constexpr std::int64_t kSentenceWords = 11;

/// FNV-1a, so that the text depends on the prompt and is the same on every machine.
std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return hash;
}

constexpr std::string_view kRepeat = "Repeat: ";

/// The words that the prompt wants repeated.
std::vector<std::string> wanted_words(std::string_view prompt) {
    std::vector<std::string> words;
    auto at = prompt.rfind(kRepeat);
    if (at == std::string_view::npos) return words;
    for (at += kRepeat.size(); at < prompt.size();) {
        const auto end = std::min(prompt.find_first_of(" \n\t\r", at), prompt.size());
        if (end > at) words.emplace_back(prompt.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

std::string capitalised(std::string word) {
    if (!word.empty() && word[0] >= 'a' && word[0] <= 'z')
        word[0] = static_cast<char>(word[0] - 32);
    return word;
}

}  // namespace

SimulatedText::SimulatedText(std::string_view prompt, const Options& options) {
    SeededRng rng(options.seed ^ hash_of(prompt));
    const auto notice = static_cast<std::int64_t>(kNotice.size());
    const std::vector<std::string> wanted = wanted_words(prompt);
    const auto repeated = static_cast<std::int64_t>(wanted.size());
    const std::int64_t tokens =
        wanted.empty() ? options.tokens : std::min(options.tokens, notice + repeated);
    for (std::int64_t i = 0; i < tokens; ++i) {
        if (options.tokens_max && i == *options.tokens_max) {
            is_cut_ = true;
            break;
        }
        std::string word;
        if (i < notice) {
            word = kNotice[static_cast<std::size_t>(i)];
        } else if (!wanted.empty()) {
            word = wanted[static_cast<std::size_t>(i - notice)];
        } else {
            word = kWords[rng.next_below(kWords.size())];
            const std::int64_t place = (i - notice) % kSentenceWords;
            if (place == 0) word = capitalised(std::move(word));
            if (place == kSentenceWords - 1 || i + 1 == tokens) word += '.';
        }
        tokens_.push_back(i == 0 ? std::move(word) : " " + word);
    }
    cut_at_stops(options.stop);
}

void SimulatedText::cut_at_stops(const std::vector<std::string>& stops) {
    std::string whole;
    for (const std::string& token : tokens_) whole += token;
    std::size_t end = whole.size();
    for (const std::string& stop : stops) {
        if (!stop.empty()) end = std::min(end, whole.find(stop));
    }
    if (end >= whole.size()) return;
    is_cut_ = false;
    std::size_t at = 0;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        if (at + tokens_[i].size() >= end) {
            tokens_[i].resize(end - at);
            tokens_.resize(tokens_[i].empty() ? i : i + 1);
            return;
        }
        at += tokens_[i].size();
    }
}

std::int64_t count_words(std::string_view text) {
    std::int64_t words = 0;
    bool is_in_word = false;
    for (const char c : text) {
        const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!is_space && !is_in_word) ++words;
        is_in_word = !is_space;
    }
    return words;
}

}  // namespace quire::providers
