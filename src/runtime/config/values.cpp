#include "runtime/config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

namespace quire::config {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t millis;
};
constexpr std::array kUnits{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                            Unit{"s", 1'000}, Unit{"ms", 1}};

Error bad(std::string_view text, std::string_view wanted) {
    return {ErrorCode::kInvalidValue, fmt::format("'{}' is not {}", text, wanted)};
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    constexpr std::string_view kWanted = "a duration such as 500ms, 30s, 5m, 2h or 30d";
    std::int64_t count = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (status != std::errc() || count < 0) return bad(text, kWanted);
    const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const Unit& unit : kUnits) {
        std::int64_t millis = 0;
        if (unit.name != name) continue;
        if (__builtin_mul_overflow(count, unit.millis, &millis)) break;
        return std::chrono::milliseconds(millis);
    }
    return bad(text, kWanted);
}

std::string duration_text(std::chrono::milliseconds value) {
    for (const Unit& unit : kUnits) {
        if (unit.name == "m" && value.count() % 3'600'000 == 0 && value.count() != 0) continue;
        if (value.count() != 0 && value.count() % unit.millis == 0 && unit.name != "d") {
            return fmt::format("{}{}", value.count() / unit.millis, unit.name);
        }
    }
    return "0s";
}

Result<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size()) {
        return bad(text, "a whole number");
    }
    return value;
}

Result<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
        return bad(text, "a number");
    }
    return value;
}

Result<bool> parse_bool(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return bad(text, "true or false");
}

namespace {

/// Secrets are sent in headers, which a line break would end.
Result<void> check_secret(const std::string& reference, std::string_view text) {
    const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; };
    if (std::none_of(text.begin(), text.end(), is_control)) return {};
    return Error(ErrorCode::kInvalidValue,
                 fmt::format("the secret of {} holds a line break or another control character; "
                             "it must be one line",
                             reference));
}

}  // namespace

Result<SecretSetting> resolve_secret(const std::string& reference, const Environment& environment) {
    SecretSetting setting{reference, Secret()};
    if (reference.starts_with("env:")) {
        const auto found = environment.find(reference.substr(4));
        if (found == environment.end() || found->second.empty()) {
            return Error(ErrorCode::kMissingRequiredParameter,
                         fmt::format("the environment variable {} is not set; set it, or point to "
                                     "another one",
                                     reference.substr(4)));
        }
        const auto checked = check_secret(reference, found->second);
        if (!checked) return checked.error();
        setting.value = Secret(found->second);
        return setting;
    }
    if (reference.starts_with("file:")) {
        std::ifstream file(reference.substr(5));
        std::ostringstream content;
        content << file.rdbuf();  // unlike iterators, it does not throw at a folder
        std::string text = std::move(content).str();
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
        if (text.empty()) {
            return Error(ErrorCode::kMissingRequiredParameter,
                         fmt::format("the file {} is missing or empty", reference.substr(5)));
        }
        const auto checked = check_secret(reference, text);
        if (!checked) return checked.error();
        setting.value = Secret(std::move(text));
        return setting;
    }
    return Error(
        ErrorCode::kInvalidValue,
        "a secret does not stand in the configuration itself; write env:NAME or file:PATH");
}

}  // namespace quire::config
