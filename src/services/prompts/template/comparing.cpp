#include "services/prompts/template/comparing.hpp"

#include "services/prompts/template/characters.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::prompts {
namespace {

/// Wide enough for both kinds, so that 2^53 + 1 and its float differ.
long double exact(const Value& value) {
    if (const double* number = std::get_if<double>(&value)) return *number;
    return static_cast<long double>(*as_integer(value));
}

Result<bool> are_equal_dicts(const Dict& left, const Dict& right, Budget& budget) {
    if (left.members.size() != right.members.size()) return false;
    for (const auto& [key, value] : left.members) {
        QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_bytes(key.size()));
        const Value* other = right.find(key);
        if (other == nullptr) return false;
        const auto same = are_equal(value, *other, budget);
        if (!same || !*same) return same;
    }
    return true;
}

Result<bool> are_equal_sequences(const Sequence& left, const Sequence& right, Budget& budget) {
    if (left.kind != right.kind || left.items.size() != right.items.size()) return false;
    for (std::size_t i = 0; i < left.items.size(); ++i) {
        const auto same = are_equal(left.items[i], right.items[i], budget);
        if (!same || !*same) return same;
    }
    return true;
}

/// The first items that differ decide; else the shorter one is less.
Result<std::partial_ordering> order_of_sequences(const Sequence& left, const Sequence& right,
                                                 Budget& budget) {
    const std::size_t common = std::min(left.items.size(), right.items.size());
    for (std::size_t i = 0; i < common; ++i) {
        QUIRE_TRY(const bool same, are_equal(left.items[i], right.items[i], budget));
        if (!same) return order_of(left.items[i], right.items[i], budget);
    }
    return std::partial_ordering(left.items.size() <=> right.items.size());
}

bool have_order(const Sequence* left, const Sequence* right) {
    return left != nullptr && right != nullptr && left->kind == right->kind &&
           (left->kind == SequenceKind::kList || left->kind == SequenceKind::kTuple);
}

Result<bool> is_in_text(const Value& left, const std::string& right, Budget& budget) {
    const std::string* part = as_text(left);
    if (part == nullptr) {
        return template_error(fmt::format("only a text can be in a text, not {}", type_name(left)));
    }
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_bytes(right.size() + part->size()));
    return find_text(right, *part) != std::string::npos;
}

Result<bool> is_in_dict(const Value& left, const Dict& right, Budget& budget) {
    if (as_dict(left) != nullptr || as_sequence(left) != nullptr) {
        return template_error(fmt::format("{} cannot be the key of an object", type_name(left)));
    }
    const std::string* key = as_text(left);
    if (key == nullptr) return false;
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend_bytes(key->size()));
    return right.find(*key) != nullptr;
}

}  // namespace

Result<bool> are_equal(const Value& left, const Value& right, Budget& budget) {
    for (const Value* side : {&left, &right}) {
        QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(*side));
    }
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend(1));
    if (is_number(left) && is_number(right)) return exact(left) == exact(right);
    if (std::holds_alternative<None>(left)) return std::holds_alternative<None>(right);
    if (as_text(left) != nullptr && as_text(right) != nullptr) {
        QUIRE_TRY([[maybe_unused]] const auto read, budget.spend_bytes(as_text(left)->size()));
        return *as_text(left) == *as_text(right);
    }
    if (as_dict(left) != nullptr && as_dict(right) != nullptr) {
        return are_equal_dicts(*as_dict(left), *as_dict(right), budget);
    }
    if (as_sequence(left) != nullptr && as_sequence(right) != nullptr) {
        return are_equal_sequences(*as_sequence(left), *as_sequence(right), budget);
    }
    return false;
}

Result<std::partial_ordering> order_of(const Value& left, const Value& right, Budget& budget) {
    for (const Value* side : {&left, &right}) {
        QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(*side));
    }
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend(1));
    if (is_number(left) && is_number(right)) return exact(left) <=> exact(right);
    if (as_text(left) != nullptr && as_text(right) != nullptr) {
        QUIRE_TRY([[maybe_unused]] const auto read, budget.spend_bytes(as_text(left)->size()));
        // Bytes of UTF-8 have the order of the characters they stand for.
        return std::partial_ordering(as_text(left)->compare(*as_text(right)) <=> 0);
    }
    if (have_order(as_sequence(left), as_sequence(right))) {
        return order_of_sequences(*as_sequence(left), *as_sequence(right), budget);
    }
    return template_error(
        fmt::format("{} and {} have no order", type_name(left), type_name(right)));
}

Result<bool> is_in(const Value& left, const Value& right, Budget& budget) {
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(right));
    if (as_text(right) != nullptr || as_dict(right) != nullptr) {
        QUIRE_TRY([[maybe_unused]] const auto given, need_defined(left));
    }
    if (const std::string* text = as_text(right)) return is_in_text(left, *text, budget);
    if (const Dict* dict = as_dict(right)) return is_in_dict(left, *dict, budget);
    const Sequence* sequence = as_sequence(right);
    if (sequence == nullptr) {
        return template_error(fmt::format("nothing can be in {}", type_name(right)));
    }
    for (const Value& item : sequence->items) {
        const auto same = are_equal(item, left, budget);
        if (!same || *same) return same;
    }
    return false;
}

}  // namespace quire::prompts
