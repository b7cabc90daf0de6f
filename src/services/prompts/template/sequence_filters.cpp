#include "services/prompts/template/characters.hpp"
#include "services/prompts/template/comparing.hpp"
#include "services/prompts/template/filters.hpp"
#include "services/prompts/template/printing.hpp"
#include "services/prompts/template/sorting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace quire::prompts {
namespace {

Result<Value> or_default(const Value& input, const FilterArguments& arguments, Budget&) {
    const Value fallback = arguments[0] ? *arguments[0] : text_value("");
    if (as_undefined(input) != nullptr) return fallback;
    QUIRE_TRY(const bool takes_false, flag_argument(arguments, 1, false));
    if (!takes_false) return input;
    QUIRE_TRY(const bool truth, is_true(input));
    return truth ? input : fallback;
}

Result<Value> length(const Value& input, const FilterArguments&, Budget&) {
    const Sequence* sequence = as_sequence(input);
    std::size_t count = 0;
    if (const std::string* text = as_text(input)) {
        count = count_characters(*text);
    } else if (const Dict* dict = as_dict(input)) {
        count = dict->members.size();
    } else if (sequence != nullptr && sequence->kind != SequenceKind::kIterator) {
        count = sequence->items.size();
    } else {
        return template_error(fmt::format("{} has no length", type_name(input)));
    }
    return Value(static_cast<std::int64_t>(count));
}

/// The items, or that member of each.
Result<std::vector<Value>> members_of(const Value& input, const FilterArguments& arguments,
                                      std::size_t at, Budget& budget) {
    QUIRE_TRY(std::vector<Value> items, items_of(input, budget));
    if (at >= arguments.size() || !arguments[at]) return items;
    if (std::holds_alternative<None>(*arguments[at])) return items;
    for (Value& item : items) {
        QUIRE_TRY(item, member_of(item, *arguments[at], budget));
    }
    return items;
}

Result<Value> join(const Value& input, const FilterArguments& arguments, Budget& budget) {
    QUIRE_TRY(const std::vector<Value> items, members_of(input, arguments, 1, budget));
    QUIRE_TRY(const std::string separator, text_argument(arguments, 0, "", budget));
    std::string out;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += separator;
        QUIRE_TRY(const std::string text, printed(items[i], budget));
        out += text;
        if (out.size() > budget.limits().output_bytes_max) break;
    }
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.admit_text(out.size()));
    return text_value(std::move(out));
}

Value nothing_in(std::string_view which) {
    return undefined_value({.path = "",
                            .why = fmt::format("there is no {} item: it is empty", which),
                            .is_missing = false});
}

Result<Value> first(const Value& input, const FilterArguments&, Budget& budget) {
    if (const Sequence* sequence = as_sequence(input)) {
        return sequence->items.empty() ? nothing_in("first") : sequence->items.front();
    }
    QUIRE_TRY(const std::vector<Value> items, items_of(input, budget));
    return items.empty() ? nothing_in("first") : items.front();
}

Result<Value> last(const Value& input, const FilterArguments&, Budget& budget) {
    if (const Sequence* sequence = as_sequence(input)) {
        if (sequence->kind == SequenceKind::kIterator) {
            return template_error("unique and reverse give no list yet; add | list");
        }
        return sequence->items.empty() ? nothing_in("last") : sequence->items.back();
    }
    QUIRE_TRY(const std::vector<Value> items, items_of(input, budget));
    return items.empty() ? nothing_in("last") : items.back();
}

Result<Value> list(const Value& input, const FilterArguments&, Budget& budget) {
    QUIRE_TRY(std::vector<Value> items, items_of(input, budget));
    return sequence_value(SequenceKind::kList, std::move(items));
}

Result<Value> reverse(const Value& input, const FilterArguments&, Budget& budget) {
    QUIRE_TRY(std::vector<Value> items, items_of(input, budget));
    std::ranges::reverse(items);
    if (as_text(input) == nullptr) return sequence_value(SequenceKind::kIterator, std::move(items));
    std::string out;
    for (const Value& item : items) out += *as_text(item);
    return text_value(std::move(out));
}

Result<Value> sort(const Value& input, const FilterArguments& arguments, Budget& budget) {
    QUIRE_TRY(std::vector<Value> items, items_of(input, budget));
    QUIRE_TRY(const bool is_reversed, flag_argument(arguments, 0, false));
    QUIRE_TRY(const bool has_case, flag_argument(arguments, 1, false));
    QUIRE_TRY(std::vector<Value> keys, members_of(input, arguments, 2, budget));
    if (!has_case) {
        QUIRE_TRY([[maybe_unused]] const auto folded, fold_case(keys, budget));
    }
    QUIRE_TRY(const std::vector<std::size_t> order, sorted_order(keys, is_reversed, budget));
    std::vector<Value> sorted;
    for (const std::size_t i : order) sorted.push_back(items[i]);
    return sequence_value(SequenceKind::kList, std::move(sorted));
}

Result<Value> unique(const Value& input, const FilterArguments& arguments, Budget& budget) {
    QUIRE_TRY(std::vector<Value> items, items_of(input, budget));
    QUIRE_TRY(const bool has_case, flag_argument(arguments, 0, false));
    QUIRE_TRY(std::vector<Value> keys, members_of(input, arguments, 1, budget));
    if (!has_case) {
        QUIRE_TRY([[maybe_unused]] const auto folded, fold_case(keys, budget));
    }
    std::set<std::string> seen;  // no hashes, which the items could be chosen to share
    std::vector<Value> kept;
    for (std::size_t i = 0; i < items.size(); ++i) {
        QUIRE_TRY(std::string key, identity_of(keys[i], budget));
        if (seen.insert(std::move(key)).second) kept.push_back(items[i]);
    }
    return sequence_value(SequenceKind::kIterator, std::move(kept));
}

Result<Value> to_json(const Value& input, const FilterArguments&, Budget& budget) {
    QUIRE_TRY(std::string text, json_printed(input, budget));
    return text_value(std::move(text));
}

constexpr std::array kFilters{
    Filter{"default", or_default, {"default_value", "boolean"}, 0, true},
    Filter{"d", or_default, {"default_value", "boolean"}, 0, true},
    Filter{"length", length},
    Filter{"count", length},
    Filter{"join", join, {"d", "attribute"}},
    Filter{"first", first},
    Filter{"last", last},
    Filter{"list", list},
    Filter{"reverse", reverse},
    Filter{"sort", sort, {"reverse", "case_sensitive", "attribute"}},
    Filter{"unique", unique, {"case_sensitive", "attribute"}},
    Filter{"tojson", to_json},
};

}  // namespace

std::span<const Filter> sequence_filters() { return kFilters; }

}  // namespace quire::prompts
