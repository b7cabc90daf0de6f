// How fast review streams: a fresh stream per 2 KB message, written in pieces of 16 bytes, beside
// what a processor does at most (memcpy) and RE2::Set over the whole text. Prints one JSON object.
#include "services/review/reviewed_text.hpp"

#include <fmt/format.h>
#include <re2/set.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace {

using quire::review::HoldBack;
using quire::review::RuleConfig;
using quire::review::RuleSet;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMessageBytes = 2048;
constexpr std::size_t kPieceBytes = 16;
constexpr int kMessages = 512;

/// A small generator of its own, so that the texts are the same everywhere.
class Words {
public:
    std::uint32_t next(std::uint32_t bound) {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::uint32_t>(state_ >> 33) % bound;
    }
    std::string word() {
        static const std::vector<std::string> all{
            "the",   "model",    "answers", "with",    "plain", "prose", "about",  "bees",
            "on",    "a",        "roof",    "and",     "honey", "which", "in",     "summer",
            "is",    "gathered", "by",      "people",  "who",   "like",  "Monday", "mornings,",
            "quiet", "streets.", "Then",    "they",    "go",    "home",  "again,", "for",
            "lunch", "of",       "bread",   "(fresh)", "at",    "12:30", "or",     "2024-05-01"};
        return all[next(static_cast<std::uint32_t>(all.size()))];
    }
    std::string letters(std::size_t size) {
        std::string out;
        while (out.size() < size) out += static_cast<char>('a' + next(26));
        return out;
    }

private:
    std::uint64_t state_ = 42;
};

std::vector<std::string> make_messages() {
    Words words;
    std::vector<std::string> messages(kMessages);
    for (std::string& message : messages) {
        while (message.size() < kMessageBytes) {
            message += words.word() + " ";
            const auto chance = words.next(2'000);
            if (chance == 0) message += "4111 1111 1111 1111 ";
            if (chance == 1) message += "bob@example.com ";
            if (chance == 2) message += "project bluebird ";
        }
    }
    return messages;
}

/// The same length in letters that are not ASCII.
std::vector<std::string> make_foreign_messages() {
    static const std::vector<std::string> all{"пчёлы", "на",     "крыше",        "собирают",
                                              "мёд,",  "летом.", "屋顶上的蜜蜂", "在夏天采蜜，",
                                              "über",  "größere"};
    Words words;
    std::vector<std::string> messages(kMessages);
    for (std::string& message : messages) {
        while (message.size() < kMessageBytes) {
            message += all[words.next(static_cast<std::uint32_t>(all.size()))] + " ";
        }
    }
    return messages;
}

RuleConfig rule(std::string name, std::string kind, std::string pattern = "") {
    RuleConfig config;
    config.name = std::move(name);
    config.kind = std::move(kind);
    config.action = "redact";
    config.pattern = std::move(pattern);
    config.replacement = "[-]";
    return config;
}

std::vector<RuleConfig> ten_rules() {
    std::vector<RuleConfig> rules{rule("cards", "pii.card"),
                                  rule("mail", "pii.email"),
                                  rule("iban", "pii.iban"),
                                  rule("keys", "secret.api_key"),
                                  rule("ssn", "regex", R"(\b\d{3}-\d{2}-\d{4}\b)"),
                                  rule("phone", "regex", R"(\+\d{1,3}[ -]\d{2,4}[ -]\d{3,8})"),
                                  rule("ticket", "regex", R"(\bTICKET-\d{4,9}\b)"),
                                  rule("ip", "regex", R"(\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b)"),
                                  rule("code", "literal"),
                                  rule("insult", "literal")};
    rules[8].values = {"project bluebird", "operation nightfall"};
    rules[9].values = {"confounded nincompoop"};
    return rules;
}

std::vector<RuleConfig> five_hundred_literals() {
    Words words;
    RuleConfig config = rule("list", "literal");
    config.values = {"project bluebird"};
    while (config.values.size() < 500) config.values.push_back(words.letters(6 + words.next(12)));
    return {config};
}

/// Of this program's own processor time, so that a busy machine does not show.
double seconds_of(const std::function<void()>& work) {
    const std::clock_t start = std::clock();
    work();
    return std::max(1e-6, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
}

struct Figures {
    double mb_per_second = 0;
    double p50_ns = 0;
    double p99_ns = 0;
    std::size_t held_p99 = 0;
    std::int64_t hits = 0;
    std::int64_t whole_hits = 0;
};

std::int64_t sum(const quire::review::Tally& tally) {
    std::int64_t total = 0;
    for (const std::int64_t count : tally) total += count;
    return total;
}

std::int64_t stream_all(const RuleSet& rules, const std::vector<std::string>& messages) {
    std::int64_t hits = 0;
    std::string out;
    for (const std::string& message : messages) {
        out.clear();
        HoldBack stream(rules);
        for (std::size_t at = 0; at < message.size(); at += kPieceBytes) {
            if (!stream.push(std::string_view(message).substr(at, kPieceBytes), out)) std::abort();
        }
        if (!stream.finish(out)) std::abort();
        hits += sum(stream.tally());
    }
    return hits;
}

template <class T>
T percentile(std::vector<T> values, double share) {
    const auto at = values.begin() +
                    static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

void measure_pieces(const RuleSet& rules, const std::vector<std::string>& messages,
                    Figures& figures) {
    std::vector<double> delays;
    std::vector<std::size_t> held;
    std::string out;
    for (const std::string& message : messages) {
        HoldBack stream(rules);
        for (std::size_t at = 0; at < message.size(); at += kPieceBytes) {
            const auto start = Clock::now();
            if (!stream.push(std::string_view(message).substr(at, kPieceBytes), out)) std::abort();
            delays.push_back(
                std::chrono::duration<double, std::nano>(Clock::now() - start).count());
            held.push_back(stream.held_bytes());
        }
    }
    figures.p50_ns = percentile(delays, 0.5);
    figures.p99_ns = percentile(delays, 0.99);
    figures.held_p99 = percentile(held, 0.99);
}

Figures measure(const std::vector<RuleConfig>& configs, const std::vector<std::string>& messages,
                double megabytes, double seconds) {
    const auto rules = RuleSet::compile(configs);
    if (!rules) {
        fmt::print(stderr, "{}\n", rules.error().message());
        std::exit(1);
    }
    Figures figures;
    figures.hits = stream_all(**rules, messages);
    for (const std::string& message : messages) {
        figures.whole_hits += sum(quire::review::review_text(**rules, message).tally);
    }
    const auto start = Clock::now();
    std::vector<double> rates;
    do {
        rates.push_back(megabytes / seconds_of([&] { stream_all(**rules, messages); }));
    } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
    figures.mb_per_second = percentile(rates, 0.5);
    measure_pieces(**rules, messages, figures);
    return figures;
}

/// The same rules as far as RE2 can say them, over whole messages.
double measure_set(const std::vector<RuleConfig>& configs, const std::vector<std::string>& messages,
                   double megabytes) {
    re2::RE2::Options options;
    options.set_case_sensitive(false);
    options.set_max_mem(256 << 20);
    re2::RE2::Set set(options, re2::RE2::UNANCHORED);
    for (const RuleConfig& config : configs) {
        if (!config.pattern.empty()) set.Add(config.pattern, nullptr);
        if (config.kind == "pii.card") set.Add(R"(\b(?:\d[ -]?){12,18}\d\b)", nullptr);
        if (config.kind == "pii.email") set.Add(R"(\w{1,64}@\w{1,63}\.[a-z]{2,23})", nullptr);
        if (config.kind == "pii.iban") set.Add(R"(\b[a-z]{2}\d{2}[a-z0-9 ]{11,38}\b)", nullptr);
        if (config.kind == "secret.api_key") set.Add(R"(\b(?:sk-|AKIA|ghp_)\w{16,64})", nullptr);
        for (const std::string& value : config.values) set.Add(value, nullptr);
    }
    set.Compile();
    std::vector<int> hits;
    const auto pass = [&] {
        for (const std::string& message : messages) set.Match(message, &hits);
    };
    pass();
    return megabytes / seconds_of(pass);
}

double measure_copy(const std::vector<std::string>& messages, double megabytes) {
    constexpr int kRepeats = 200;
    std::vector<char> to(2 * kMessageBytes);
    const double seconds = seconds_of([&] {
        for (int i = 0; i < kRepeats; ++i) {
            for (const std::string& message : messages) {
                std::memcpy(to.data(), message.data(), message.size());
                asm volatile("" : : "r"(to.data()) : "memory");
            }
        }
    });
    return kRepeats * megabytes / seconds;
}

void print(std::string_view name, const Figures& figures, double set) {
    fmt::print(
        "\"{}\":{{\"mb_per_second\":{:.1f},\"p50_ns\":{:.0f},\"p99_ns\":{:.0f},\"held_p99\":{},"
        "\"hits\":{},\"whole_hits\":{},\"re2_set_mb_per_second\":{:.1f}}},",
        name, figures.mb_per_second, figures.p50_ns, figures.p99_ns, figures.held_p99, figures.hits,
        figures.whole_hits, set);
}

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 3;
    const std::vector<std::string> messages = make_messages();
    std::size_t bytes = 0;
    for (const std::string& message : messages) bytes += message.size();
    const double megabytes = static_cast<double>(bytes) / 1e6;
    fmt::print("{{");
    for (const auto& [name, rules] :
         {std::pair("ten_rules", ten_rules()), std::pair("literals_500", five_hundred_literals()),
          std::pair("no_rules", std::vector<RuleConfig>())}) {
        print(name, measure(rules, messages, megabytes, seconds),
              rules.empty() ? 0 : measure_set(rules, messages, megabytes));
    }
    print("ten_rules_foreign", measure(ten_rules(), make_foreign_messages(), megabytes, seconds),
          0);
    fmt::print("\"memcpy_mb_per_second\":{:.0f}}}\n", measure_copy(messages, megabytes));
    return 0;
}
