#pragma once

#include "base/result.hpp"
#include "runtime/json.hpp"
#include "services/prompts/template/budget.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace quire::prompts {

struct None {};

/// Stands for what was not given until something needs it: then it becomes an error.
struct Undefined {
    std::string path;  ///< `/variables/user/name`; "" when no variable of the caller is meant
    std::string why;
    bool is_missing = true;  ///< false: nothing is missing, the template asks for what cannot be
    bool is_soft = false;    ///< prints as nothing, is false and empty: an `if` without `else`
};

struct Sequence;
struct Dict;

/// What an expression of a template is worth; immutable and shared, so copies are cheap.
using Value = std::variant<None, std::shared_ptr<const Undefined>, bool, std::int64_t, double,
                           std::shared_ptr<const std::string>, std::shared_ptr<const Sequence>,
                           std::shared_ptr<const Dict>>;

enum class SequenceKind {
    kList,
    kTuple,
    kItems,     ///< of `dict.items()`
    kRange,     ///< of `range()`
    kIterator,  ///< of `unique` and `reverse`: can be walked, and nothing else
};

struct Sequence {
    SequenceKind kind = SequenceKind::kList;
    std::vector<Value> items;
    std::string label;  ///< how a range is printed
    std::size_t depth = 1;
};

/// The keys are the caller's variable's own, which lives longer than a rendering.
struct Dict {
    std::vector<std::pair<std::string_view, Value>> members;
    const json::object* source = nullptr;  ///< has the members' places; null: there are a few
    std::size_t depth = 1;

    const Value* find(std::string_view key) const;
};

/// Keeps everything that walks a value recursively far from the end of the stack.
inline constexpr std::size_t kValueDepthMax = 64;

Value text_value(std::string text);
/// Cuts what is very long: `why` at its end, and of `path` all.
Value undefined_value(Undefined undefined);
/// kTemplateError when the items are nested too deeply.
Result<Value> sequence_value(SequenceKind kind, std::vector<Value> items, std::string label = {});
/// kTemplateError for what has no counterpart: integers above 2^63 - 1 and too deep nesting.
Result<Value> value_of(const json::value& given, std::size_t depth = 0);

const std::string* as_text(const Value& value);
const Sequence* as_sequence(const Value& value);
const Dict* as_dict(const Value& value);
const Undefined* as_undefined(const Value& value);
bool is_number(const Value& value);
/// A bool counts as 0 or 1, as in Python; only for what `is_number` or is a bool.
double to_double(const Value& value);
/// The integer of an int or a bool.
const std::int64_t* as_integer(const Value& value);

/// How the value's type is called in messages.
std::string_view type_name(const Value& value);
Error template_error(std::string message);
Error error_of(const Undefined& undefined);
bool is_soft(const Value& value);
/// The error of an undefined value, and nothing for any other.
Result<void> need_defined(const Value& value);
Result<bool> is_true(const Value& value);
/// The items of what can be walked: of a list, the characters of a text, the keys of a dict. They
/// are paid before they are made.
Result<std::vector<Value>> items_of(const Value& value, Budget& budget);

}  // namespace quire::prompts
