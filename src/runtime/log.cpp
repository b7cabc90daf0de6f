#include "runtime/log.hpp"

#include "base/clock.hpp"
#include "runtime/json.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace quire::runtime {
namespace {

std::atomic<LogLevel> current_level{LogLevel::info};
std::atomic<LogFormat> current_format{LogFormat::text};

/// spdlog is the sink (locking, flushing); a line is complete before it gets there.
spdlog::logger& sink() {
    static const auto logger = [] {
        auto made = std::make_shared<spdlog::logger>(
            "quire", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->set_level(spdlog::level::trace);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *logger;
}

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
        case LogLevel::off:
            break;
    }
    return "off";
}

}  // namespace

void configure_log(LogLevel level, LogFormat format) {
    current_level = level;
    current_format = format;
}

bool is_logged(LogLevel level) { return level >= current_level.load(std::memory_order_relaxed); }

std::string format_log(LogFormat format, LogLevel level, std::string_view time,
                       std::string_view phrase, std::initializer_list<LogField> fields) {
    std::string line;
    if (format == LogFormat::text) {
        line = fmt::format("{} {:5} {}", time, name_of(level), phrase);
        for (const LogField& field : fields) {
            line += fmt::format(" {}=", field.key());
            append_json_string(line, field.text());
        }
        return line;
    }
    line = "{\"time\":";
    append_json_string(line, time);
    line += ",\"level\":";
    append_json_string(line, name_of(level));
    line += ",\"event\":";
    append_json_string(line, phrase);
    for (const LogField& field : fields) {
        line += ',';
        append_json_string(line, field.key());
        line += ':';
        if (field.is_raw()) {
            line += field.text();
        } else {
            append_json_string(line, field.text());
        }
    }
    line += '}';
    return line;
}

void write_log(LogLevel level, std::string_view phrase, std::initializer_list<LogField> fields) {
    const std::string time = to_rfc3339(SystemClock().now());
    sink().info(format_log(current_format, level, time, phrase, fields));
}

}  // namespace quire::runtime
