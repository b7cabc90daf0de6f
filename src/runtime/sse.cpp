#include "runtime/sse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace quire::runtime {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// find_first_of calls memchr once per character; nearly every line ends at the first LF.
std::size_t find_line_end(std::string_view bytes) {
    const std::size_t lf = bytes.find('\n');
    return std::min(bytes.substr(0, lf).find('\r'), lf);
}

bool forges_a_line(std::string_view field) {
    return field.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

}  // namespace

Result<void> SseParser::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        if (skips_lf_ && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            skips_lf_ = false;
            continue;
        }
        skips_lf_ = false;
        const std::size_t end = find_line_end(bytes);
        line_.append(bytes.substr(0, end));
        if (line_.size() + pending_.data.size() > event_bytes_max_) {
            return Error(ErrorCode::kUpstreamError,
                         fmt::format("an event is larger than {} bytes", event_bytes_max_));
        }
        if (end == std::string_view::npos) break;
        skips_lf_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        end_line();
    }
    return {};
}

std::optional<SseEvent> SseParser::next() {
    if (ready_.empty()) return std::nullopt;
    SseEvent event = std::move(ready_.front());
    ready_.pop_front();
    return event;
}

void SseParser::end_line() {
    std::string_view line = line_;
    if (std::exchange(is_at_start_, false) && line.starts_with(kByteOrderMark)) {
        line.remove_prefix(kByteOrderMark.size());
    }
    if (line.empty()) {
        if (std::exchange(has_data_, false)) ready_.push_back(std::move(pending_));
        pending_ = SseEvent();
    } else if (line.front() != ':') {
        const std::size_t colon = line.find(':');
        std::string_view value;
        if (colon != std::string_view::npos) value = line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        take_field(line.substr(0, colon), value);
    }
    line_.clear();
}

void SseParser::take_field(std::string_view name, std::string_view value) {
    if (name == "data") {
        if (std::exchange(has_data_, true)) pending_.data += '\n';
        pending_.data += value;
    } else if (name == "event") {
        pending_.event = value;
    } else if (name == "id" && value.find('\0') == std::string_view::npos) {
        pending_.id = value;
    }
}

Result<void> append_sse(std::string& out, const SseEvent& event) {
    if (forges_a_line(event.event) || forges_a_line(event.id)) {
        return Error(ErrorCode::kInvalidValue, "an SSE event or id may not hold CR, LF or NUL");
    }
    if (!event.event.empty()) out += fmt::format("event: {}\n", event.event);
    if (!event.id.empty()) out += fmt::format("id: {}\n", event.id);
    std::string_view data = event.data;
    while (true) {
        const std::size_t end = data.find_first_of("\r\n");
        out += "data: ";
        out += data.substr(0, end);
        out += '\n';
        if (end == std::string_view::npos) break;
        data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
    }
    out += '\n';
    return {};
}

void append_sse_json(std::string& out, std::string_view one_line_json) {
    out += "data: ";
    out += one_line_json;
    out += "\n\n";
}

void append_sse_comment(std::string& out, std::string_view text) {
    out += ": ";
    out += text;
    out += "\n\n";
}

}  // namespace quire::runtime
