#include "base/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace quire {
namespace {

using std::chrono::days;
using std::chrono::microseconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;

/// Takes `digits` decimal digits off the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) return std::nullopt;
    int value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + digits, value);
    if (status != std::errc() || end != text.data() + digits || text[0] == '-') return std::nullopt;
    text.remove_prefix(digits);
    return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

/// Up to nine digits after the point, as microseconds.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
    std::int64_t micros = 0;
    std::size_t digits = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
        if (digits < 6) micros = micros * 10 + (text.front() - '0');
        ++digits;
    }
    if (digits == 0 || digits > 9) return std::nullopt;
    for (; digits < 6; ++digits) micros *= 10;
    return micros;
}

std::optional<std::int64_t> take_offset_minutes(std::string_view& text) {
    if (take_char(text, "Zz")) return 0;
    const bool is_negative = !text.empty() && text.front() == '-';
    if (!take_char(text, "+-")) return std::nullopt;
    const auto hours = take_number(text, 2);
    if (!hours || *hours > 23 || !take_char(text, ":")) return std::nullopt;
    const auto minutes = take_number(text, 2);
    if (!minutes || *minutes > 59) return std::nullopt;
    const int total = *hours * 60 + *minutes;
    return is_negative ? -total : total;
}

}  // namespace

std::string to_rfc3339(Timestamp time) {
    const std::chrono::sys_time<microseconds> point{microseconds(time.micros)};
    const auto day = std::chrono::floor<days>(point);
    const year_month_day date(day);
    const std::chrono::hh_mm_ss<microseconds> clock(point - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
    constexpr std::array<std::size_t, 6> kDigits{4, 2, 2, 2, 2, 2};
    constexpr std::array<std::string_view, 6> kAfter{"-", "-", "Tt ", ":", ":", ""};
    std::array<int, 6> part{};
    for (std::size_t i = 0; i < part.size(); ++i) {
        const auto number = take_number(text, kDigits[i]);
        if (!number || (!kAfter[i].empty() && !take_char(text, kAfter[i]))) return std::nullopt;
        part[i] = *number;
    }
    std::int64_t micros = 0;
    if (take_char(text, ".")) {
        const auto fraction = take_fraction(text);
        if (!fraction) return std::nullopt;
        micros = *fraction;
    }
    const auto offset = take_offset_minutes(text);
    if (!offset || !text.empty()) return std::nullopt;
    const year_month_day date{std::chrono::year(part[0]),
                              std::chrono::month(static_cast<unsigned>(part[1])),
                              std::chrono::day(static_cast<unsigned>(part[2]))};
    if (!date.ok() || part[3] > 23 || part[4] > 59 || part[5] > 60) return std::nullopt;
    const auto seconds = std::chrono::seconds(sys_days(date).time_since_epoch()) +
                         std::chrono::hours(part[3]) + std::chrono::minutes(part[4] - *offset) +
                         std::chrono::seconds(part[5]);
    return Timestamp{microseconds(seconds).count() + micros};
}

Timestamp SystemClock::now() const {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<microseconds>(since).count()};
}

SteadyTime SystemClock::steady() const { return std::chrono::steady_clock::now(); }

Timestamp RetentionClock::now() const {
    const auto elapsed = std::chrono::duration_cast<microseconds>(clock_.steady() - steady_start_);
    return std::min(clock_.now(), start_ + elapsed + kSlack);
}

}  // namespace quire
