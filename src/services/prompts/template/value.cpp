#include "services/prompts/template/value.hpp"

#include "services/prompts/template/characters.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::prompts {
namespace {

constexpr std::int64_t kFalse = 0;
constexpr std::int64_t kTrue = 1;

std::size_t depth_of(const Value& value) {
    if (const Sequence* sequence = as_sequence(value)) return sequence->depth;
    if (const Dict* dict = as_dict(value)) return dict->depth;
    return 0;
}

std::string shortened(std::string message) {
    message.resize(bytes_of(message, kMessageCharactersMax));
    return message;
}

Error too_deep() {
    return template_error(fmt::format(
        "a value is nested in more than {} levels of lists and objects", kValueDepthMax));
}

Result<Value> dict_of(const json::object& given, std::size_t depth) {
    auto dict = std::make_shared<Dict>();
    dict->source = &given;
    dict->members.reserve(given.size());
    for (const auto& member : given) {
        QUIRE_TRY(Value value, value_of(member.value(), depth + 1));
        dict->depth = std::max(dict->depth, depth_of(value) + 1);
        dict->members.emplace_back(member.key(), std::move(value));
    }
    return Value(std::shared_ptr<const Dict>(std::move(dict)));
}

Result<Value> list_of(const json::array& given, std::size_t depth) {
    std::vector<Value> items;
    items.reserve(given.size());
    for (const json::value& item : given) {
        QUIRE_TRY(Value value, value_of(item, depth + 1));
        items.push_back(std::move(value));
    }
    return sequence_value(SequenceKind::kList, std::move(items));
}

}  // namespace

const Value* Dict::find(std::string_view key) const {
    auto found = members.end();
    if (source != nullptr) {
        found = members.begin() + (source->find(key) - source->begin());
    } else {
        found = std::ranges::find(members, key, &std::pair<std::string_view, Value>::first);
    }
    return found == members.end() ? nullptr : &found->second;
}

Value text_value(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

Value undefined_value(Undefined undefined) {
    undefined.why = shortened(std::move(undefined.why));
    // A part of a pointer would name something else.
    if (undefined.path.size() > kMessageCharactersMax) undefined.path.clear();
    return std::make_shared<const Undefined>(std::move(undefined));
}

Result<Value> sequence_value(SequenceKind kind, std::vector<Value> items, std::string label) {
    auto sequence = std::make_shared<Sequence>();
    for (const Value& item : items) {
        sequence->depth = std::max(sequence->depth, depth_of(item) + 1);
    }
    if (sequence->depth > kValueDepthMax) return too_deep();
    sequence->kind = kind;
    sequence->items = std::move(items);
    sequence->label = std::move(label);
    return Value(std::shared_ptr<const Sequence>(std::move(sequence)));
}

Result<Value> value_of(const json::value& given, std::size_t depth) {
    if (depth > kValueDepthMax) return too_deep();
    switch (given.kind()) {
        case json::kind::null:
            return Value(None{});
        case json::kind::bool_:
            return Value(given.get_bool());
        case json::kind::int64:
            return Value(given.get_int64());
        case json::kind::uint64:
            if (given.get_uint64() > static_cast<std::uint64_t>(INT64_MAX)) {
                return template_error(fmt::format("the number {} is too large; send it as a string",
                                                  given.get_uint64()));
            }
            return Value(static_cast<std::int64_t>(given.get_uint64()));
        case json::kind::double_:
            return Value(given.get_double());
        case json::kind::string:
            return text_value(std::string(given.get_string()));
        case json::kind::array:
            return list_of(given.get_array(), depth);
        case json::kind::object:
            return dict_of(given.get_object(), depth);
    }
    return Value(None{});
}

const std::string* as_text(const Value& value) {
    const auto* held = std::get_if<std::shared_ptr<const std::string>>(&value);
    return held == nullptr ? nullptr : held->get();
}

const Sequence* as_sequence(const Value& value) {
    const auto* held = std::get_if<std::shared_ptr<const Sequence>>(&value);
    return held == nullptr ? nullptr : held->get();
}

const Dict* as_dict(const Value& value) {
    const auto* held = std::get_if<std::shared_ptr<const Dict>>(&value);
    return held == nullptr ? nullptr : held->get();
}

const Undefined* as_undefined(const Value& value) {
    const auto* held = std::get_if<std::shared_ptr<const Undefined>>(&value);
    return held == nullptr ? nullptr : held->get();
}

bool is_number(const Value& value) {
    return std::holds_alternative<double>(value) || as_integer(value) != nullptr;
}

double to_double(const Value& value) {
    if (const double* number = std::get_if<double>(&value)) return *number;
    return static_cast<double>(*as_integer(value));
}

const std::int64_t* as_integer(const Value& value) {
    if (const bool* flag = std::get_if<bool>(&value)) return *flag ? &kTrue : &kFalse;
    return std::get_if<std::int64_t>(&value);
}

std::string_view type_name(const Value& value) {
    if (std::holds_alternative<None>(value)) return "none";
    if (std::holds_alternative<bool>(value)) return "a boolean";
    if (std::holds_alternative<std::int64_t>(value)) return "an integer";
    if (std::holds_alternative<double>(value)) return "a float";
    if (as_text(value) != nullptr) return "a text";
    if (as_dict(value) != nullptr) return "an object";
    if (as_undefined(value) != nullptr) return "nothing";
    switch (as_sequence(value)->kind) {
        case SequenceKind::kList:
            return "a list";
        case SequenceKind::kTuple:
            return "a tuple";
        case SequenceKind::kItems:
            return "items()";
        case SequenceKind::kRange:
            return "a range";
        case SequenceKind::kIterator:
            return "an iterator";
    }
    return "a value";
}

Error template_error(std::string message) {
    return {ErrorCode::kTemplateError, shortened(std::move(message))};
}

Error error_of(const Undefined& undefined) {
    if (!undefined.is_missing) return template_error(undefined.why);
    Error error(ErrorCode::kMissingVariable, undefined.why);
    if (!undefined.path.empty()) error.add_detail("param", undefined.path);
    return error;
}

Result<void> need_defined(const Value& value) {
    if (const Undefined* undefined = as_undefined(value)) return error_of(*undefined);
    return {};
}

bool is_soft(const Value& value) {
    const Undefined* undefined = as_undefined(value);
    return undefined != nullptr && undefined->is_soft;
}

Result<bool> is_true(const Value& value) {
    if (is_soft(value)) return false;
    if (const Undefined* undefined = as_undefined(value)) return error_of(*undefined);
    if (std::holds_alternative<None>(value)) return false;
    if (is_number(value)) return to_double(value) != 0;
    if (const std::string* text = as_text(value)) return !text->empty();
    if (const Dict* dict = as_dict(value)) return !dict->members.empty();
    const Sequence* sequence = as_sequence(value);
    return sequence->kind == SequenceKind::kIterator || !sequence->items.empty();
}

Result<std::vector<Value>> items_of(const Value& value, Budget& budget) {
    const Sequence* sequence = as_sequence(value);
    const Dict* dict = as_dict(value);
    const std::string* text = as_text(value);
    std::vector<Value> items;
    if (is_soft(value)) return items;
    QUIRE_TRY([[maybe_unused]] const auto defined, need_defined(value));
    if (sequence == nullptr && dict == nullptr && text == nullptr) {
        return template_error(fmt::format("{} has no items to walk through", type_name(value)));
    }
    const std::size_t count = sequence != nullptr ? sequence->items.size()
                              : dict != nullptr   ? dict->members.size()
                                                  : count_characters(*text);
    QUIRE_TRY([[maybe_unused]] const auto paid, budget.spend(count));
    if (sequence != nullptr) return sequence->items;
    items.reserve(count);
    if (dict != nullptr) {
        for (const auto& [key, member] : dict->members) {
            QUIRE_TRY([[maybe_unused]] const auto read, budget.spend_bytes(key.size()));
            items.push_back(text_value(std::string(key)));
        }
        return items;
    }
    for (const std::string_view character : characters_of(*text)) {
        items.push_back(text_value(std::string(character)));
    }
    return items;
}

}  // namespace quire::prompts
