#include "runtime/proto_json.hpp"

#include "runtime/json.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <vector>

namespace quire::runtime {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

[[noreturn]] void no_event_field(const FieldDescriptor& field) {
    fmt::print(stderr, "a message with the field {} cannot be an event\n", field.full_name());
    std::abort();
}

template <class Number>
void append_number(std::string& out, Number value, bool is_quoted) {
    const fmt::format_int digits(value);
    if (is_quoted) out += '"';
    out.append(digits.data(), digits.size());
    if (is_quoted) out += '"';
}

/// One field that is set, or one element of a list.
class FieldValue {
public:
    FieldValue(const Message& message, const FieldDescriptor& field, int index)
        : message_(message), field_(field), reflection_(*message.GetReflection()), index_(index) {}

    void append_to(std::string& out) const {
        switch (field_.cpp_type()) {
            case FieldDescriptor::CPPTYPE_STRING:
                if (field_.type() == FieldDescriptor::TYPE_BYTES) no_event_field(field_);
                return append_json_string(out, text());
            case FieldDescriptor::CPPTYPE_INT64:
                return append_number(out, get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64),
                                     true);
            case FieldDescriptor::CPPTYPE_UINT64:
                return append_number(
                    out, get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64), true);
            case FieldDescriptor::CPPTYPE_INT32:
                return append_number(out, get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32),
                                     false);
            case FieldDescriptor::CPPTYPE_UINT32:
                return append_number(
                    out, get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32), false);
            case FieldDescriptor::CPPTYPE_BOOL:
                out += get(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
                return;
            case FieldDescriptor::CPPTYPE_ENUM:
                return append_json_string(
                    out, get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name());
            case FieldDescriptor::CPPTYPE_MESSAGE:
                return append_proto_json(
                    out, field_.is_repeated()
                             ? reflection_.GetRepeatedMessage(message_, &field_, index_)
                             : reflection_.GetMessage(message_, &field_));
            default:
                no_event_field(field_);
        }
    }

private:
    template <class Value>
    Value get(Value (Reflection::*one)(const Message&, const FieldDescriptor*) const,
              Value (Reflection::*of_list)(const Message&, const FieldDescriptor*, int)
                  const) const {
        return field_.is_repeated() ? (reflection_.*of_list)(message_, &field_, index_)
                                    : (reflection_.*one)(message_, &field_);
    }
    const std::string& text() const {
        return field_.is_repeated()
                   ? reflection_.GetRepeatedStringReference(message_, &field_, index_, &scratch_)
                   : reflection_.GetStringReference(message_, &field_, &scratch_);
    }

    const Message& message_;
    const FieldDescriptor& field_;
    const Reflection& reflection_;
    int index_;
    mutable std::string scratch_;
};

Error wrong(const FieldDescriptor& field) {
    return {ErrorCode::kInvalidValue,
            fmt::format("'{}' is not what a {} is made of", field.json_name(), field.type_name())};
}

template <class Number>
Result<Number> number_of(const json::value& value, const FieldDescriptor& field) {
    const bool is_whole = value.is_int64() || value.is_uint64();
    const std::string digits = value.is_string() ? std::string(value.get_string())
                               : is_whole        ? json::serialize(value)
                                                 : std::string();
    Number number{};
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty() || ec != std::errc() || end != digits.data() + digits.size()) {
        return wrong(field);
    }
    return number;
}

Result<const EnumValueDescriptor*> enum_of(const json::value& value, const FieldDescriptor& field) {
    const EnumValueDescriptor* found = nullptr;
    if (value.is_string()) {
        found = field.enum_type()->FindValueByName(std::string(value.get_string()));
    } else if (value.is_int64()) {
        found = field.enum_type()->FindValueByNumber(static_cast<int>(value.get_int64()));
    }
    if (found == nullptr) return wrong(field);
    return found;
}

Result<void> read_object(const json::object& object, Message& message);

/// Sets a field, or adds an element to it when it is a list.
class FieldSetter {
public:
    FieldSetter(Message& message, const FieldDescriptor& field)
        : message_(message), field_(field), reflection_(*message.GetReflection()) {}

    Result<void> set(const json::value& value) const {
        switch (field_.cpp_type()) {
            case FieldDescriptor::CPPTYPE_STRING:
                if (!value.is_string()) return wrong(field_);
                return put(std::string(value.get_string()), &Reflection::SetString,
                           &Reflection::AddString);
            case FieldDescriptor::CPPTYPE_INT64:
                return put(number_of<std::int64_t>(value, field_), &Reflection::SetInt64,
                           &Reflection::AddInt64);
            case FieldDescriptor::CPPTYPE_UINT64:
                return put(number_of<std::uint64_t>(value, field_), &Reflection::SetUInt64,
                           &Reflection::AddUInt64);
            case FieldDescriptor::CPPTYPE_INT32:
                return put(number_of<std::int32_t>(value, field_), &Reflection::SetInt32,
                           &Reflection::AddInt32);
            case FieldDescriptor::CPPTYPE_UINT32:
                return put(number_of<std::uint32_t>(value, field_), &Reflection::SetUInt32,
                           &Reflection::AddUInt32);
            case FieldDescriptor::CPPTYPE_BOOL:
                if (!value.is_bool()) return wrong(field_);
                return put(value.get_bool(), &Reflection::SetBool, &Reflection::AddBool);
            case FieldDescriptor::CPPTYPE_ENUM:
                return put(enum_of(value, field_), &Reflection::SetEnum, &Reflection::AddEnum);
            case FieldDescriptor::CPPTYPE_MESSAGE:
                if (!value.is_object()) return wrong(field_);
                return read_object(value.get_object(),
                                   field_.is_repeated()
                                       ? *reflection_.AddMessage(&message_, &field_)
                                       : *reflection_.MutableMessage(&message_, &field_));
            default:
                no_event_field(field_);
        }
    }

private:
    template <class Value>
    using Setter = void (Reflection::*)(Message*, const FieldDescriptor*, Value) const;

    template <class Value>
    Result<void> put(Value value, Setter<Value> set_it, Setter<Value> add) const {
        if (field_.is_repeated()) {
            (reflection_.*add)(&message_, &field_, std::move(value));
        } else {
            (reflection_.*set_it)(&message_, &field_, std::move(value));
        }
        return {};
    }
    template <class Value>
    Result<void> put(Result<Value> value, Setter<Value> set_it, Setter<Value> add) const {
        if (!value) return value.error();
        return put<Value>(*value, set_it, add);
    }

    Message& message_;
    const FieldDescriptor& field_;
    const Reflection& reflection_;
};

Result<void> read_list(const json::value& value, const FieldSetter& setter,
                       const FieldDescriptor& field) {
    if (!value.is_array()) return wrong(field);
    for (const json::value& element : value.get_array()) {
        const auto added = setter.set(element);
        if (!added) return added;
    }
    return {};
}

Result<void> read_object(const json::object& object, Message& message) {
    const Descriptor& descriptor = *message.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i) {
        const FieldDescriptor& field = *descriptor.field(i);
        const json::value* value = find_member(object, field.json_name());
        if (value == nullptr) continue;
        const FieldSetter setter(message, field);
        const auto read =
            field.is_repeated() ? read_list(*value, setter, field) : setter.set(*value);
        if (!read) return read;
    }
    return {};
}

}  // namespace

void append_proto_json(std::string& out, const Message& message) {
    const Reflection& reflection = *message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    char separator = '{';
    for (const FieldDescriptor* field : fields) {
        out += std::exchange(separator, ',');
        out += '"';
        out += field->json_name();
        out += "\":";
        if (!field->is_repeated()) {
            FieldValue(message, *field, 0).append_to(out);
            continue;
        }
        if (field->is_map()) no_event_field(*field);
        char before = '[';
        for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
            out += std::exchange(before, ',');
            FieldValue(message, *field, i).append_to(out);
        }
        out += ']';
    }
    if (separator == '{') out += '{';
    out += '}';
}

Result<void> read_proto_json(std::string_view text, Message& message) {
    std::array<unsigned char, 8192> arena;
    json::monotonic_resource nodes(arena.data(), arena.size());
    const auto parsed = parse_json(text, &nodes);
    if (!parsed) return Error(ErrorCode::kInvalidValue, parsed.error().message());
    if (!parsed->is_object()) return Error(ErrorCode::kInvalidValue, "it is no JSON object");
    return read_object(parsed->get_object(), message);
}

}  // namespace quire::runtime
