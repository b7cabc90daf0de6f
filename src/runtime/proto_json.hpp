#pragma once

#include "base/result.hpp"

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

namespace quire::runtime {

/// The protobuf JSON mapping for the messages of events: numbers, texts, enums, messages and lists
/// of them. A message with another kind of field (map, bytes, floating point) cannot be an event: a
/// check aborts in the tests of whoever adds it. protobuf's own converter goes through a type
/// resolver and takes many times as long (docs/adr/0013-json-of-events.md).

/// Appends `message`; what is unset is left out, 64-bit integers are strings.
void append_proto_json(std::string& out, const google::protobuf::Message& message);

/// Sets in `message` what `text` has; members that it does not know are passed over. kInvalidValue
/// when the text is not JSON, or a member is of another type than its field.
Result<void> read_proto_json(std::string_view text, google::protobuf::Message& message);

}  // namespace quire::runtime
