#include "runtime/json.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace quire::runtime {
namespace {

/// Length of the valid UTF-8 sequence at the front of `text`, 0 if there is none (RFC 3629: no
/// overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_sequence(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto is_tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return is_tail(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!is_tail(1) || !is_tail(2)) return 0;
        if (first == 0xE0 && byte(1) < 0xA0) return 0;
        if (first == 0xED && byte(1) > 0x9F) return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!is_tail(1) || !is_tail(2) || !is_tail(3)) return 0;
        if (first == 0xF0 && byte(1) < 0x90) return 0;
        if (first == 0xF4 && byte(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}

void append_control(std::string& out, unsigned char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            out += fmt::format("\\u{:04x}", c);
    }
}

bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

}  // namespace

Result<json::value> parse_json(std::string_view text, json::storage_ptr storage) {
    json::parse_options options;
    options.max_depth = kJsonDepthMax;
    std::array<unsigned char, 4096> scratch;
    json::parser parser(json::storage_ptr(), options, scratch.data(), scratch.size());
    parser.reset(std::move(storage));
    boost::system::error_code ec;
    const std::size_t used = parser.write_some(text.data(), text.size(), ec);
    const auto rest = text.substr(used).find_first_not_of(" \t\r\n");
    if (!ec && rest != std::string_view::npos) ec = json::error::extra_data;
    if (ec == json::error::too_deep) {
        return Error(ErrorCode::kInvalidJson,
                     fmt::format("the JSON is nested deeper than {} levels", kJsonDepthMax));
    }
    if (ec && !is_valid_utf8(text)) {
        return Error(ErrorCode::kInvalidJson, "the text is not valid UTF-8");
    }
    if (ec) {
        return Error(ErrorCode::kInvalidJson,
                     fmt::format("not valid JSON at byte {}: {}", used, ec.message()));
    }
    return parser.release();
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t i = 0;
    while (i < text.size()) {
        std::size_t plain = i;
        while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain]))) ++plain;
        out.append(text, i, plain - i);
        i = plain;
        if (i == text.size()) break;
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x80) {
            append_control(out, c);
            ++i;
            continue;
        }
        const std::size_t length = utf8_sequence(text.substr(i));
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            ++i;
        } else {
            out.append(text, i, length);
            i += length;
        }
    }
    out += '"';
}

std::string json_string(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string pointer_step(std::string_view key) {
    std::string out;
    for (const char c : key) {
        if (c == '~' || c == '/') {
            out += c == '~' ? "~0" : "~1";
        } else {
            out += c;
        }
    }
    return out;
}

void append_json(std::string& out, const json::value& value) { out += json::serialize(value); }

bool is_valid_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

const json::value* find_member(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    if (value == nullptr || value->is_null()) return nullptr;
    return value;
}

std::string_view text_member(const json::object& object, std::string_view key) {
    const json::value* value = find_member(object, key);
    if (value == nullptr || !value->is_string()) return "";
    return {value->get_string().data(), value->get_string().size()};
}

std::optional<std::int64_t> int_member(const json::object& object, std::string_view key) {
    const json::value* value = find_member(object, key);
    if (value == nullptr) return std::nullopt;
    if (value->is_int64()) return value->get_int64();
    return std::nullopt;
}

}  // namespace quire::runtime
