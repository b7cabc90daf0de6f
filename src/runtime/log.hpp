#pragma once

#include "base/secret.hpp"

#include <cmath>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace quire::runtime {

enum class LogLevel { debug, info, warn, error, off };
enum class LogFormat { json, text };

/// One fact of a log line. Numbers and booleans stay such in JSON; a Secret shows as `***`.
class LogField {
public:
    LogField(std::string_view key, std::string_view value) : key_(key), text_(value) {}
    LogField(std::string_view key, const char* value) : key_(key), text_(value) {}
    LogField(std::string_view key, const std::string& value) : key_(key), text_(value) {}
    LogField(std::string_view key, const Secret&) : key_(key), text_(Secret::kMask) {}
    template <class Number>
    requires std::is_arithmetic_v<Number> LogField(std::string_view key, Number value)
        : key_(key), is_raw_(true) {
        if constexpr (std::is_same_v<Number, bool>) {
            text_ = value ? "true" : "false";
        } else {
            text_ = std::to_string(value);
            // JSON has no word for infinity and no-number.
            if constexpr (std::is_floating_point_v<Number>) is_raw_ = std::isfinite(value);
        }
    }

    std::string_view key() const { return key_; }
    const std::string& text() const { return text_; }
    bool is_raw() const { return is_raw_; }

private:
    std::string_view key_;
    std::string text_;
    bool is_raw_ = false;
};

/// Sets level and form; before the first call: info, text. Lines go to stderr.
void configure_log(LogLevel level, LogFormat format);
bool is_logged(LogLevel level);
void write_log(LogLevel level, std::string_view phrase, std::initializer_list<LogField> fields);
/// One line as it would be written, without the newline; for tests and the sink.
std::string format_log(LogFormat format, LogLevel level, std::string_view time,
                       std::string_view phrase, std::initializer_list<LogField> fields);

}  // namespace quire::runtime

/// QUIRE_LOG(info, "key created", {"org", org}, {"key", id}): a constant phrase and facts. Never a
/// prompt, completion, key or token.
#define QUIRE_LOG(level, ...)                                                 \
    do {                                                                      \
        if (::quire::runtime::is_logged(::quire::runtime::LogLevel::level)) { \
            QUIRE_LOG_IMPL(::quire::runtime::LogLevel::level, __VA_ARGS__);   \
        }                                                                     \
    } while (false)
#define QUIRE_LOG_IMPL(level, phrase, ...) ::quire::runtime::write_log(level, phrase, {__VA_ARGS__})
