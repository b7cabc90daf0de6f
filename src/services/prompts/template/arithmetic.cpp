#include "services/prompts/template/arithmetic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quire::prompts {
namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%"};

Error too_large() { return template_error("the result has more than 64 bits"); }
Error by_zero() { return template_error("a division by zero"); }

/// Rounded once: small integers are exact as doubles, larger ones need more digits.
double quotient_of(std::int64_t left, std::int64_t right) {
    constexpr std::int64_t kExactMax = std::int64_t{1} << 53;
    const auto is_small = [](std::int64_t n) { return n >= -kExactMax && n <= kExactMax; };
    if (is_small(left) && is_small(right)) {
        return static_cast<double>(left) / static_cast<double>(right);
    }
    return static_cast<double>(static_cast<long double>(left) / static_cast<long double>(right));
}

Result<Value> divide_integers(Operator operation, std::int64_t left, std::int64_t right) {
    if (right == 0) return by_zero();
    if (operation == Operator::kDivide) return Value(quotient_of(left, right));
    if (left == INT64_MIN && right == -1) {
        if (operation == Operator::kModulo) return Value(std::int64_t{0});
        return too_large();
    }
    // Python rounds down, and the remainder has the sign of the divisor.
    const std::int64_t remainder = left % right;
    const bool is_off = remainder != 0 && (remainder < 0) != (right < 0);
    if (operation == Operator::kModulo) return Value(is_off ? remainder + right : remainder);
    return Value(left / right - (is_off ? 1 : 0));
}

Result<Value> calculate_integers(Operator operation, std::int64_t left, std::int64_t right) {
    std::int64_t result = 0;
    bool is_too_large = false;
    switch (operation) {
        case Operator::kAdd:
            is_too_large = __builtin_add_overflow(left, right, &result);
            break;
        case Operator::kSubtract:
            is_too_large = __builtin_sub_overflow(left, right, &result);
            break;
        case Operator::kMultiply:
            is_too_large = __builtin_mul_overflow(left, right, &result);
            break;
        default:
            return divide_integers(operation, left, right);
    }
    if (is_too_large) return too_large();
    return Value(result);
}

double remainder_of(double left, double right) {
    double rest = std::fmod(left, right);
    if (rest == 0) return std::copysign(0.0, right);
    if ((right < 0) != (rest < 0)) rest += right;
    return rest;
}

double floor_quotient(double left, double right) {
    const double rest = remainder_of(left, right);
    const double quotient = (left - rest) / right;
    if (quotient == 0) return std::copysign(0.0, left / right);
    const double floor = std::floor(quotient);
    return quotient - floor > 0.5 ? floor + 1 : floor;
}

Result<Value> calculate_floats(Operator operation, double left, double right) {
    switch (operation) {
        case Operator::kAdd:
            return Value(left + right);
        case Operator::kSubtract:
            return Value(left - right);
        case Operator::kMultiply:
            return Value(left * right);
        default:
            break;
    }
    if (right == 0) return by_zero();
    if (operation == Operator::kDivide) return Value(left / right);
    if (operation == Operator::kModulo) return Value(remainder_of(left, right));
    return Value(floor_quotient(left, right));
}

bool can_be_joined(const Sequence* left, const Sequence* right) {
    return left != nullptr && right != nullptr && left->kind == right->kind &&
           (left->kind == SequenceKind::kList || left->kind == SequenceKind::kTuple);
}

Result<Value> joined(const Sequence& left, const Sequence& right, Budget& budget) {
    QUIRE_TRY([[maybe_unused]] const auto paid,
              budget.spend(left.items.size() + right.items.size()));
    std::vector<Value> items = left.items;
    items.insert(items.end(), right.items.begin(), right.items.end());
    return sequence_value(left.kind, std::move(items));
}

/// Refuses before it multiplies: the sizes themselves may not fit.
Result<Value> repeated_text(const std::string& text, std::size_t times, Budget& budget) {
    const bool is_huge = times > 0 && text.size() > budget.limits().output_bytes_max / times;
    QUIRE_TRY([[maybe_unused]] const auto paid,
              budget.admit_text(is_huge ? SIZE_MAX : text.size() * times));
    std::string out;
    out.reserve(text.size() * times);
    for (std::size_t i = 0; i < times && !text.empty(); ++i) out += text;
    return text_value(std::move(out));
}

Result<Value> repeated_list(const Sequence& list, std::size_t times, Budget& budget) {
    const bool is_huge = times > 0 && list.items.size() > budget.limits().steps_max / times;
    QUIRE_TRY([[maybe_unused]] const auto paid,
              budget.spend(is_huge ? SIZE_MAX : list.items.size() * times));
    std::vector<Value> items;
    for (std::size_t i = 0; i < times && !list.items.empty(); ++i) {
        items.insert(items.end(), list.items.begin(), list.items.end());
    }
    return sequence_value(list.kind, std::move(items));
}

Error unfit(Operator operation, const Value& left, const Value& right) {
    const bool has_text = as_text(left) != nullptr || as_text(right) != nullptr;
    return template_error(fmt::format(
        "{} {} {} cannot be computed{}", type_name(left), kSymbols[static_cast<int>(operation)],
        type_name(right), operation == Operator::kAdd && has_text ? "; join texts with ~" : ""));
}

}  // namespace

Result<Value> calculate(Operator operation, const Value& left, const Value& right, Budget& budget) {
    for (const Value* side : {&left, &right}) {
        QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(*side));
    }
    const std::int64_t* a = as_integer(left);
    const std::int64_t* b = as_integer(right);
    if (a != nullptr && b != nullptr) return calculate_integers(operation, *a, *b);
    if (is_number(left) && is_number(right)) {
        return calculate_floats(operation, to_double(left), to_double(right));
    }
    if (operation == Operator::kMultiply && (a != nullptr || b != nullptr)) {
        const Value& other = a != nullptr ? right : left;
        const auto times =
            static_cast<std::size_t>(std::max<std::int64_t>(0, a != nullptr ? *a : *b));
        if (const std::string* text = as_text(other)) return repeated_text(*text, times, budget);
        if (can_be_joined(as_sequence(other), as_sequence(other))) {
            return repeated_list(*as_sequence(other), times, budget);
        }
    }
    if (operation == Operator::kAdd && can_be_joined(as_sequence(left), as_sequence(right))) {
        return joined(*as_sequence(left), *as_sequence(right), budget);
    }
    if (operation == Operator::kAdd && as_text(left) != nullptr && as_text(right) != nullptr) {
        QUIRE_TRY([[maybe_unused]] const auto paid,
                  budget.admit_text(as_text(left)->size() + as_text(right)->size()));
        return text_value(*as_text(left) + *as_text(right));
    }
    return unfit(operation, left, right);
}

Result<Value> with_sign(const Value& value, bool is_negated) {
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(value));
    if (const double* number = std::get_if<double>(&value)) {
        return Value(is_negated ? -*number : *number);
    }
    const std::int64_t* number = as_integer(value);
    if (number == nullptr) {
        return template_error(fmt::format("{} has no sign", type_name(value)));
    }
    if (is_negated && *number == INT64_MIN) return too_large();
    return Value(is_negated ? -*number : *number);
}

}  // namespace quire::prompts
