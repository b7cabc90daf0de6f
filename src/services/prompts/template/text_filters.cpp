#include "services/prompts/template/characters.hpp"
#include "services/prompts/template/filters.hpp"
#include "services/prompts/template/printing.hpp"

#include <fmt/format.h>

namespace quire::prompts {
namespace {

constexpr std::int64_t kTruncateLength = 255;
constexpr std::int64_t kTruncateLeeway = 5;

using Change = std::string (*)(std::string_view);

template <Change change>
Result<Value> changed(const Value& input, const FilterArguments&, Budget& budget) {
    QUIRE_TRY(const std::string text, printed(input, budget));
    return text_value(change(text));
}

Result<Value> to_title(const Value& input, const FilterArguments&, Budget& budget) {
    QUIRE_TRY(const std::string text, printed(input, budget));
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend(count_words(text)));
    return text_value(title(text));
}

Result<Value> to_string(const Value& input, const FilterArguments&, Budget& budget) {
    QUIRE_TRY(std::string text, printed(input, budget));
    return text_value(std::move(text));
}

Result<Value> trim(const Value& input, const FilterArguments& arguments, Budget& budget) {
    QUIRE_TRY(const std::string text, printed(input, budget));
    if (!arguments[0] || std::holds_alternative<None>(*arguments[0])) {
        return text_value(std::string(trim_left(trim_right(text))));
    }
    const std::string* set = as_text(*arguments[0]);
    if (set == nullptr) return template_error("the characters to trim must be a text");
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_bytes(set->size()));
    return text_value(std::string(trim_set(text, *set)));
}

/// How often `old` may be replaced; all are a negative number.
Result<std::int64_t> replacements(const FilterArguments& arguments) {
    if (arguments[2] && std::holds_alternative<None>(*arguments[2])) return -1;
    return integer_argument(arguments, 2, -1);
}

/// The empty text stands before each character and at the end.
std::vector<std::size_t> places_of(std::string_view text, std::string_view old, std::int64_t max) {
    std::vector<std::size_t> places;
    std::size_t at = 0;
    while (max < 0 || places.size() < static_cast<std::size_t>(max)) {
        at = find_text(text, old, at);
        if (at == std::string_view::npos) break;
        places.push_back(at);
        if (old.empty() && at >= text.size()) break;
        at += old.empty() ? first_character(text.substr(at)).size() : old.size();
    }
    return places;
}

Result<Value> replace(const Value& input, const FilterArguments& arguments, Budget& budget) {
    QUIRE_TRY(const std::string text, printed(input, budget));
    QUIRE_TRY(const std::string old, text_argument(arguments, 0, "", budget));
    QUIRE_TRY(const std::string fresh, text_argument(arguments, 1, "", budget));
    QUIRE_TRY(const std::int64_t max, replacements(arguments));
    const auto places = places_of(text, old, max);
    QUIRE_TRY([[maybe_unused]] const auto paid,
              budget.admit_text(text.size() + places.size() * fresh.size()));
    std::string out;
    std::size_t from = 0;
    for (const std::size_t at : places) {
        out.append(text, from, at - from);
        out += fresh;
        from = at + old.size();
    }
    return text_value(out.append(text, from));
}

Result<Value> truncate(const Value& input, const FilterArguments& arguments, Budget& budget) {
    const std::string* text = as_text(input);
    if (text == nullptr) return template_error("only a text can be truncated; add | string");
    QUIRE_TRY(const std::int64_t length, integer_argument(arguments, 0, kTruncateLength));
    QUIRE_TRY(const bool cuts_words, flag_argument(arguments, 1, false));
    QUIRE_TRY(const std::string end, text_argument(arguments, 2, "...", budget));
    QUIRE_TRY(const std::int64_t leeway, integer_argument(arguments, 3, kTruncateLeeway));
    const auto end_length = static_cast<std::int64_t>(count_characters(end));
    if (length < end_length) {
        return template_error(
            fmt::format("the length must be {} at least, the length of '{}'", end_length, end));
    }
    if (leeway < 0) return template_error("the leeway cannot be negative");
    const auto size = static_cast<std::int64_t>(count_characters(*text));
    if (size <= length || size - length <= leeway) return input;
    std::string kept =
        text->substr(0, bytes_of(*text, static_cast<std::size_t>(length - end_length)));
    if (!cuts_words) kept = kept.substr(0, kept.rfind(' '));
    return text_value(kept + end);
}

constexpr std::array kFilters{
    Filter{"upper", changed<upper>},
    Filter{"lower", changed<lower>},
    Filter{"title", to_title},
    Filter{"capitalize", changed<capitalize>},
    Filter{"string", to_string},
    Filter{"trim", trim, {"chars"}},
    Filter{"replace", replace, {"old", "new", "count"}, 2},
    Filter{"truncate", truncate, {"length", "killwords", "end", "leeway"}},
};

}  // namespace

std::span<const Filter> text_filters() { return kFilters; }

}  // namespace quire::prompts
