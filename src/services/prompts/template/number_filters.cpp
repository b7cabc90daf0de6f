#include "services/prompts/template/characters.hpp"
#include "services/prompts/template/filters.hpp"
#include "services/prompts/template/printing.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace quire::prompts {
namespace {

constexpr std::int64_t kPrecisionMax = 15;
constexpr double kIntegerBound = 9223372036854775808.0;  // 2^63
constexpr double kWholeBound = 9007199254740992.0;       // 2^53: no larger one has a fraction

/// As Python reads numbers: white space around, a sign, single underscores between digits.
std::optional<std::string> number_text(std::string_view text) {
    text = trim_left(trim_right(text));
    std::string out;
    const auto is_digit = [&](std::size_t at) {
        return at < text.size() && text[at] >= '0' && text[at] <= '9';
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            out += text[i];
        } else if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) {
            return {};
        }
    }
    if (out.starts_with('+')) {
        out.erase(0, 1);
        if (out.starts_with('-')) return {};
    }
    return out;
}

Result<std::optional<std::int64_t>> read_integer(std::string_view text) {
    const auto digits = number_text(text);
    if (!digits) return std::optional<std::int64_t>();
    std::int64_t number = 0;
    const char* end = digits->data() + digits->size();
    const auto read = std::from_chars(digits->data(), end, number);
    if (read.ptr != end || digits->empty()) return std::optional<std::int64_t>();
    if (read.ec == std::errc::result_out_of_range) {
        return template_error(fmt::format("{} has more than 64 bits", *digits));
    }
    if (read.ec != std::errc{}) return std::optional<std::int64_t>();
    return std::optional(number);
}

std::optional<double> read_float(std::string_view text) {
    const auto digits = number_text(text);
    if (!digits || digits->empty()) return {};
    double number = 0;
    const char* end = digits->data() + digits->size();
    const auto read = std::from_chars(digits->data(), end, number);
    // `nan(...)` is C's; from_chars does not tell too large from too small.
    if (read.ptr != end || digits->find('(') != std::string::npos) return {};
    if (read.ec == std::errc::result_out_of_range) return std::strtod(digits->c_str(), nullptr);
    if (read.ec != std::errc{}) return {};
    return number;
}

Result<Value> truncated(double number) {
    if (!(std::abs(number) < kIntegerBound)) {
        return template_error(fmt::format("{} is no integer of 64 bits", float_text(number)));
    }
    return Value(static_cast<std::int64_t>(number));
}

Result<Value> to_integer(const Value& input, const FilterArguments& arguments, Budget&) {
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(input));
    if (const std::int64_t* number = as_integer(input)) return Value(*number);
    if (is_number(input)) return truncated(to_double(input));
    if (const std::string* text = as_text(input)) {
        QUIRE_TRY(const auto integer, read_integer(*text));
        if (integer) return Value(*integer);
        const auto number = read_float(*text);
        if (number && std::isinf(*number)) return truncated(*number);
        if (number && !std::isnan(*number)) return truncated(*number);
    }
    return arguments[0] ? *arguments[0] : Value(std::int64_t{0});
}

Result<Value> to_float(const Value& input, const FilterArguments& arguments, Budget&) {
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(input));
    if (is_number(input)) return Value(to_double(input));
    if (const std::string* text = as_text(input)) {
        if (const auto number = read_float(*text)) return Value(*number);
    }
    return arguments[0] ? *arguments[0] : Value(0.0);
}

/// Half to even on the exact value, as Python rounds, by way of decimal digits.
double rounded(double number, int precision) {
    if (std::abs(number) >= kWholeBound) return number;
    return std::strtod(fmt::format("{:.{}f}", number, precision).c_str(), nullptr);
}

Result<Value> round(const Value& input, const FilterArguments& arguments, Budget& budget) {
    if (!is_number(input)) {
        return template_error(fmt::format("{} cannot be rounded", type_name(input)));
    }
    QUIRE_TRY(const std::int64_t precision, integer_argument(arguments, 0, 0));
    QUIRE_TRY(const std::string method, text_argument(arguments, 1, "common", budget));
    if (precision < 0 || precision > kPrecisionMax) {
        return template_error(fmt::format("the precision must be 0 to {}", kPrecisionMax));
    }
    const double number = to_double(input);
    if (method == "common") {
        if (const std::int64_t* integer = as_integer(input)) return Value(*integer);
        if (!std::isfinite(number)) return Value(number);
        return Value(rounded(number, static_cast<int>(precision)));
    }
    if (method != "ceil" && method != "floor") {
        return template_error("the method must be 'common', 'ceil' or 'floor'");
    }
    if (!std::isfinite(number)) return template_error("infinity and nan cannot be rounded");
    const double scale = std::pow(10.0, static_cast<double>(precision));
    const double scaled = number * scale;
    // An integer on the way, which has no -0.
    return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale + 0.0);
}

constexpr std::array kFilters{
    Filter{"int", to_integer, {"default"}, 0, true},
    Filter{"float", to_float, {"default"}, 0, true},
    Filter{"round", round, {"precision", "method"}},
};

}  // namespace

std::span<const Filter> number_filters() { return kFilters; }

}  // namespace quire::prompts
