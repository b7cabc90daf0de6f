#include "services/prompts/template/sorting.hpp"

#include "services/prompts/template/characters.hpp"
#include "services/prompts/template/comparing.hpp"
#include "services/prompts/template/printing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace quire::prompts {
namespace {

using Order = std::vector<std::size_t>;

/// A merge sort by hand: a comparison may fail, and std::stable_sort has no way out.
class Sorter {
public:
    Sorter(const std::vector<Value>& keys, bool is_reversed, Budget& budget)
        : keys_(keys), is_reversed_(is_reversed), budget_(budget), order_(keys.size()) {
        std::iota(order_.begin(), order_.end(), std::size_t{0});
    }

    Result<Order> run() {
        for (std::size_t width = 1; width < order_.size(); width *= 2) {
            Order merged;
            for (std::size_t begin = 0; begin < order_.size(); begin += 2 * width) {
                const auto done = merge(begin, width, merged);
                if (!done) return done.error();
            }
            order_ = std::move(merged);
        }
        return order_;
    }

private:
    Result<void> merge(std::size_t begin, std::size_t width, Order& merged) {
        const std::size_t middle = std::min(begin + width, order_.size());
        const std::size_t end = std::min(begin + 2 * width, order_.size());
        std::size_t left = begin;
        std::size_t right = middle;
        while (left < middle && right < end) {
            QUIRE_TRY(const bool is_later, goes_before(order_[right], order_[left]));
            merged.push_back(is_later ? order_[right++] : order_[left++]);
        }
        merged.insert(merged.end(), order_.begin() + left, order_.begin() + middle);
        merged.insert(merged.end(), order_.begin() + right, order_.begin() + end);
        return {};
    }

    Result<bool> goes_before(std::size_t left, std::size_t right) {
        // Equal keys come first, as Python compares lists of keys: none and none are no error.
        QUIRE_TRY(const bool same, are_equal(keys_[left], keys_[right], budget_));
        if (same) return false;
        QUIRE_TRY(const std::partial_ordering order, order_of(keys_[left], keys_[right], budget_));
        return is_reversed_ ? order > 0 : order < 0;
    }

    const std::vector<Value>& keys_;
    bool is_reversed_;
    Budget& budget_;
    Order order_;
};

Value member_named(const Value& value, std::string_view name) {
    if (const Dict* dict = as_dict(value)) {
        if (const Value* member = dict->find(name)) return *member;
    }
    std::int64_t index = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), index);
    const Sequence* sequence = as_sequence(value);
    const bool is_index = read.ec == std::errc{} && read.ptr == name.data() + name.size();
    if (sequence != nullptr && is_index && index >= 0 &&
        static_cast<std::size_t>(index) < sequence->items.size()) {
        return sequence->items[static_cast<std::size_t>(index)];
    }
    return undefined_value(
        {.path = "", .why = fmt::format("{} has no '{}'", type_name(value), name)});
}

}  // namespace

Result<Value> member_of(const Value& value, const Value& attribute, Budget& budget) {
    std::string number;
    std::string_view path;
    if (const std::int64_t* index = as_integer(attribute)) {
        path = number = std::to_string(*index);
    } else if (const std::string* text = as_text(attribute)) {
        path = *text;
    } else {
        return template_error("an attribute is named by a text");
    }
    QUIRE_TRY([[maybe_unused]] const auto read, budget.spend_bytes(path.size()));
    if (path.find(',') != std::string::npos) {
        return template_error("one attribute can be named, not several");
    }
    Value member = value;
    while (true) {
        QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(member));
        QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend(1));
        const std::size_t dot = std::min(path.find('.'), path.size());
        member = member_named(member, path.substr(0, dot));
        if (dot == path.size()) return member;
        path.remove_prefix(dot + 1);
    }
}

Result<void> fold_case(std::vector<Value>& values, Budget& budget) {
    for (Value& value : values) {
        const std::string* text = as_text(value);
        if (text == nullptr) continue;
        QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_bytes(2 * text->size()));
        value = text_value(lower(*text));
    }
    return {};
}

Result<Order> sorted_order(const std::vector<Value>& keys, bool is_reversed, Budget& budget) {
    return Sorter(keys, is_reversed, budget).run();
}

Result<std::string> identity_of(const Value& value, Budget& budget) {
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(value));
    if (const std::string* text = as_text(value)) {
        QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_bytes(text->size()));
        return "t" + *text;
    }
    if (std::holds_alternative<None>(value)) return std::string("n");
    if (const std::int64_t* integer = as_integer(value)) return fmt::format("i{}", *integer);
    if (is_number(value)) {
        const double number = to_double(value);
        const bool is_whole = std::abs(number) < 9.2e18 && std::floor(number) == number;
        return is_whole ? fmt::format("i{}", static_cast<std::int64_t>(number))
                        : "f" + float_text(number);
    }
    const Sequence* sequence = as_sequence(value);
    if (sequence == nullptr || sequence->kind != SequenceKind::kTuple) {
        return template_error(fmt::format("{} cannot be compared for this", type_name(value)));
    }
    std::string joined = "(";
    for (const Value& item : sequence->items) {
        QUIRE_TRY(const std::string part, identity_of(item, budget));
        QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_item(part.size()));
        joined += fmt::format("{}:{}", part.size(), part);
    }
    return joined;
}

}  // namespace quire::prompts
