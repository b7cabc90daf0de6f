#pragma once

#include "base/result.hpp"

#include <span>
#include <string_view>

/// Words and names that clients choose. The edge asks before it looks at the scope, and the service
/// that they are for asks again: other callers come to that one directly.
namespace quire {

/// The name of a prompt or a label, 1 to 64 of a-z 0-9 _ . - but not "." or ".."; `what` names the
/// field.
/// kInvalidValue.
Result<void> check_word(std::string_view what, std::string_view word);

/// The name of a key or an organization: 1 to 100 characters, none of them control characters.
/// kInvalidValue.
Result<void> check_name(std::string_view name);

/// Every scope that a key can have.
std::span<const std::string_view> all_scopes();
/// kInvalidValue for what is no scope.
Result<void> check_scope(std::string_view scope);

/// How a request can have ended, as the request log tells it. kInvalidValue.
Result<void> check_request_status(std::string_view status);

}  // namespace quire
