#pragma once

#include "base/result.hpp"

#include <boost/json.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// Boost.JSON is the one JSON parser of the platform; this is its one door, with the limits.
namespace quire {
namespace json = boost::json;
}

namespace quire::runtime {

inline constexpr std::size_t kJsonDepthMax = 64;

/// Parses strictly: UTF-8, one document, at most 64 levels; else kInvalidJson, saying where.
/// `storage` lets a request put all nodes into one arena.
Result<json::value> parse_json(std::string_view text, json::storage_ptr storage = {});

/// Appends `text` quoted and escaped. Invalid UTF-8 is replaced by U+FFFD, so the output is always
/// valid JSON.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);
void append_json(std::string& out, const json::value& value);

bool is_valid_utf8(std::string_view text);

/// A key as a step of a JSON Pointer (RFC 6901).
std::string pointer_step(std::string_view key);

/// The member, or nullptr when it is absent or null.
const json::value* find_member(const json::object& object, std::string_view key);
/// The member's text, or "" when it is absent or no string.
std::string_view text_member(const json::object& object, std::string_view key);
std::optional<std::int64_t> int_member(const json::object& object, std::string_view key);

}  // namespace quire::runtime
