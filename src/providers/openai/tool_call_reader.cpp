#include "providers/openai/tool_call_reader.hpp"

#include "base/clock.hpp"
#include "base/id.hpp"
#include "base/rng.hpp"

namespace quire::providers {
namespace {

using runtime::find_member;
using runtime::text_member;

/// Some servers send them as JSON itself, not as its text.
std::string arguments_of(const json::object& function) {
    const json::value* found = find_member(function, "arguments");
    if (found == nullptr || found->is_null()) return "";
    if (found->is_string()) return std::string(std::string_view(found->get_string()));
    return json::serialize(*found);
}

bool is_whole(std::string_view arguments) {
    if (!arguments.starts_with('{') || !arguments.ends_with('}')) return false;
    return runtime::parse_json(arguments).has_value();
}

/// Libraries add up the texts of pieces, so what is said again would stand there twice.
void tell_once(std::string_view said, std::string& told, std::string& out) {
    if (!told.empty() || said.empty()) return;
    told = said;
    out = told;
}

std::string new_id() {
    SystemRng rng;
    return make_id("call", SystemClock().now(), rng);
}

}  // namespace

void ToolCallReader::read(const json::value& list, std::vector<common::v1::Delta>& out) {
    if (!list.is_array()) return;
    ++lists_;
    std::int64_t position = 0;
    for (const json::value& item : list.get_array()) {
        const std::int64_t at = position++;
        if (!item.is_object() || find_member(item.get_object(), "custom") != nullptr) continue;
        const json::object& from = item.get_object();
        Piece piece;
        piece.id = text_member(from, "id");
        piece.type = text_member(from, "type");
        const json::value* function = find_member(from, "function");
        const bool has_function = function != nullptr && function->is_object();
        if (!has_function && piece.id.empty()) continue;  // it says nothing
        if (has_function) {
            piece.name = text_member(function->get_object(), "name");
            piece.arguments = arguments_of(function->get_object());
        }
        add(runtime::int_member(from, "index").value_or(at), std::move(piece), out);
    }
}

void ToolCallReader::add(std::int64_t place, Piece piece, std::vector<common::v1::Delta>& out) {
    const auto [at, is_first] = calls_.try_emplace(place);
    Call& call = at->second;
    const bool begins = is_first || begins_another(call, piece);
    if (begins) {
        call = Call();
        call.index = begun_++;
        call.id = piece.id.empty() ? new_id() : std::string(piece.id);
    }
    auto& delta = out.emplace_back();
    delta.set_channel(common::v1::TOOL_CALL);
    auto& made = *delta.mutable_tool_call();
    made.set_index(call.index);
    if (begins) made.set_id(call.id);
    // Streams of some servers leave the type out; clients need it with the name.
    if (piece.type.empty() && !piece.name.empty()) piece.type = "function";
    tell_once(piece.type, call.type, *made.mutable_type());
    tell_once(piece.name, call.name, *made.mutable_name());
    // Nothing with a name follows arguments that are whole, or pieces without one.
    call.is_over = piece.name.empty() || is_whole(piece.arguments);
    if (!piece.name.empty()) call.named_in = lists_;
    made.set_arguments(std::move(piece.arguments));
}

/// Where a server gives every call the same index, or counts within a chunk, a name and another id
/// tell that a call begins. Neither does alone: vLLM made an id for each piece, and others repeat
/// the name; TensorRT-LLM did both.
bool ToolCallReader::begins_another(const Call& call, const Piece& piece) const {
    if (piece.name.empty() || call.name.empty()) return false;
    const bool has_another_id = !piece.id.empty() && piece.id != call.id;
    const bool is_beside = call.named_in == lists_ && (piece.id.empty() || has_another_id);
    return is_beside || (has_another_id && (piece.name != call.name || call.is_over));
}

}  // namespace quire::providers
