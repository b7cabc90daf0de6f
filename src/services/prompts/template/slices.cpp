#include "services/prompts/template/slices.hpp"

#include "services/prompts/template/characters.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::prompts {
namespace {

/// A bound as Python reads it: from the end when negative, and never outside.
Result<std::size_t> bound_of(const Value& bound, std::size_t size, std::size_t fallback) {
    if (std::holds_alternative<None>(bound)) return fallback;
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(bound));
    const std::int64_t* number = as_integer(bound);
    if (number == nullptr) {
        return template_error(
            fmt::format("the bound of a slice must be an integer, not {}", type_name(bound)));
    }
    const auto count = static_cast<std::int64_t>(size);
    const std::int64_t place =
        *number < 0 ? std::max<std::int64_t>(0, *number + count) : std::min(*number, count);
    return static_cast<std::size_t>(place);
}

Result<std::vector<std::int64_t>> range_bounds(const std::vector<Value>& bounds) {
    std::vector<std::int64_t> numbers;
    for (const Value& bound : bounds) {
        QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(bound));
        const std::int64_t* number = as_integer(bound);
        if (number == nullptr) {
            return template_error(fmt::format("range takes integers, not {}", type_name(bound)));
        }
        numbers.push_back(*number);
    }
    if (numbers.size() == 1) numbers.insert(numbers.begin(), 0);
    if (numbers.size() == 2) numbers.push_back(1);
    if (numbers[2] == 0) return template_error("range cannot have the step 0");
    return numbers;
}

}  // namespace

Result<bool> passes(TestKind test, const Value& value) {
    const auto* flag = std::get_if<bool>(&value);
    const bool is_integer = std::holds_alternative<std::int64_t>(value);
    const bool is_float = std::holds_alternative<double>(value);
    const Sequence* sequence = as_sequence(value);
    const bool is_text = as_text(value) != nullptr;
    const bool is_dict = as_dict(value) != nullptr;
    switch (test) {
        case TestKind::kDefined:
            return as_undefined(value) == nullptr;
        case TestKind::kUndefined:
            return as_undefined(value) != nullptr;
        case TestKind::kNone:
            return std::holds_alternative<None>(value);
        case TestKind::kBoolean:
            return flag != nullptr;
        case TestKind::kTrue:
            return flag != nullptr && *flag;
        case TestKind::kFalse:
            return flag != nullptr && !*flag;
        case TestKind::kInteger:
            return is_integer;
        case TestKind::kFloat:
            return is_float;
        case TestKind::kNumber:
            return is_number(value);
        case TestKind::kString:
            return is_text;
        case TestKind::kMapping:
            return is_dict;
        case TestKind::kSequence:
        case TestKind::kIterable:
            break;
    }
    if (test == TestKind::kIterable) {
        QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(value));
    }
    const bool has_places =
        sequence != nullptr &&
        (test == TestKind::kIterable ||
         (sequence->kind != SequenceKind::kItems && sequence->kind != SequenceKind::kIterator));
    return has_places || is_text || is_dict;
}

Result<Value> character_at(const std::string& text, std::int64_t index,
                           const std::function<Value()>& otherwise, Budget& budget) {
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_bytes(text.size()));
    const auto size = static_cast<std::int64_t>(count_characters(text));
    if (index < -size || index >= size) return otherwise();
    const auto at = static_cast<std::size_t>(index < 0 ? index + size : index);
    const std::string_view from = std::string_view(text).substr(bytes_of(text, at));
    return text_value(std::string(first_character(from)));
}

Result<Value> slice_of(const Value& holder, const Value& begin, const Value& end, Budget& budget) {
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(holder));
    const Sequence* sequence = as_sequence(holder);
    const bool has_places = sequence != nullptr && (sequence->kind == SequenceKind::kList ||
                                                    sequence->kind == SequenceKind::kTuple);
    if (!has_places && as_text(holder) == nullptr) {
        return template_error(fmt::format("{} cannot be sliced", type_name(holder)));
    }
    if (as_text(holder) != nullptr) {
        QUIRE_TRY([[maybe_unused]] const auto read, budget.spend_bytes(as_text(holder)->size()));
    }
    const std::size_t size =
        has_places ? sequence->items.size() : count_characters(*as_text(holder));
    QUIRE_TRY(const std::size_t first, bound_of(begin, size, 0));
    QUIRE_TRY(const std::size_t last, bound_of(end, size, size));
    if (!has_places) {
        const std::string_view rest =
            std::string_view(*as_text(holder)).substr(bytes_of(*as_text(holder), first));
        return text_value(
            std::string(rest.substr(0, bytes_of(rest, last > first ? last - first : 0))));
    }
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend(last > first ? last - first : 0));
    const auto from = sequence->items.begin();
    std::vector<Value> items;
    if (first < last) items.assign(from + first, from + last);
    return sequence_value(sequence->kind, std::move(items));
}

Result<Value> range_of(const std::vector<Value>& bounds, Budget& budget) {
    QUIRE_TRY(const std::vector<std::int64_t> numbers, range_bounds(bounds));
    const std::int64_t start = numbers[0];
    const std::int64_t stop = numbers[1];
    const std::int64_t step = numbers[2];
    std::vector<Value> items;
    bool is_over = false;
    for (std::int64_t i = start; !is_over && (step > 0 ? i < stop : i > stop);
         is_over = __builtin_add_overflow(i, step, &i)) {
        if (items.size() >= budget.limits().range_items_max) {
            return template_error(
                fmt::format("a range has at most {} numbers", budget.limits().range_items_max));
        }
        items.emplace_back(i);
    }
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend(items.size()));
    std::string label = step == 1 ? fmt::format("range({}, {})", start, stop)
                                  : fmt::format("range({}, {}, {})", start, stop, step);
    return sequence_value(SequenceKind::kRange, std::move(items), std::move(label));
}

}  // namespace quire::prompts
