#include "services/gateway/generate_answer.hpp"

#include <fmt/format.h>

#include <string_view>

namespace quire::gateway {
namespace {

using common::v1::Channel;
using runtime::append_json_string;

/// The text of an answer: what the model says, a refusal included. Its reasoning is not told.
bool is_output(const common::v1::Delta& delta) {
    return !delta.has_tool_call() &&
           (delta.channel() == Channel::CONTENT || delta.channel() == Channel::REFUSAL);
}

/// `"id":…,"prompt":{…},"model":…`, where every form of the answer begins. A replay has the id of
/// the request that it was made for.
void append_beginning(std::string& out, const std::string& request_id,
                      const common::v1::Started& started) {
    out += R"({"id":)";
    append_json_string(out, started.replay_of().empty() ? request_id : started.replay_of());
    out += R"(,"prompt":{"name":)";
    append_json_string(out, started.prompt());
    fmt::format_to(std::back_inserter(out), R"(,"version":{}}},"model":)",
                   started.prompt_version());
    append_json_string(out, started.model());
}

void append_review(std::string& out, const common::v1::Finished& finished) {
    out += R"(,"review":[)";
    for (const common::v1::ReviewNote& note : finished.review()) {
        out += out.back() == '[' ? R"({"stage":)" : R"(,{"stage":)";
        append_json_string(out, note.stage());
        out += R"(,"rule":)";
        append_json_string(out, note.rule());
        out += R"(,"kind":)";
        append_json_string(out, note.kind());
        out += R"(,"action":)";
        append_json_string(out, note.action());
        fmt::format_to(std::back_inserter(out), R"(,"count":{}}})", note.count());
    }
    out += ']';
}

void append_end(std::string& out, const common::v1::Finished& finished) {
    out += R"(,"finish_reason":)";
    append_json_string(out, finished.finish_reason());
    fmt::format_to(std::back_inserter(out),
                   R"(,"usage":{{"input_tokens":{},"output_tokens":{}}},"cost":{{"amount":{},)"
                   R"("unit":"micro_credits","estimated":{}}})",
                   finished.usage().input_tokens(), finished.usage().output_tokens(),
                   finished.cost().amount(), finished.cost().estimated());
    append_review(out, finished);
    out += '}';
}

}  // namespace

awaitable<Result<void>> GenerateAnswer::write(const common::v1::ChatEvent& event) {
    if (event.has_started()) {
        started_ = event.started();
    } else if (event.has_finished()) {
        finished_ = event.finished();
    } else if (is_output(event.delta())) {
        output_ += event.delta().text();
    }
    co_return Result<void>();
}

awaitable<Result<void>> GenerateAnswer::respond(GatewayCall& call) {
    http::Response response;
    response.content_type = "application/json";
    response.body.reserve(512 + output_.size());
    append_beginning(response.body, call.ctx.request_id, started_);
    response.body += R"(,"output":)";
    append_json_string(response.body, output_);
    append_end(response.body, finished_);
    call.add_headers(response, started_.steps());
    if (!started_.replay_of().empty()) {
        add_replay_headers(response);
    } else if (finished_.has_cost()) {
        response.headers.emplace_back("x-quire-cost", fmt::to_string(finished_.cost().amount()));
    }
    co_return co_await call.exchange.respond(std::move(response));
}

awaitable<Result<void>> GenerateStream::write(const common::v1::ChatEvent& event) {
    if (event.has_started()) {
        started_ = event.started();
        co_return co_await start();
    }
    out_.clear();
    if (event.has_finished()) {
        out_ += "event: done\ndata: ";
        append_beginning(out_, call_.ctx.request_id, started_);
        append_end(out_, event.finished());
    } else if (is_output(event.delta()) && !event.delta().text().empty()) {
        out_ += "event: delta\ndata: {\"text\":";
        append_json_string(out_, event.delta().text());
        out_ += '}';
    } else {
        co_return Result<void>();
    }
    out_ += "\n\n";
    co_return co_await send(out_);
}

awaitable<Result<void>> GenerateStream::start() {
    out_ = "event: start\ndata: ";
    append_beginning(out_, call_.ctx.request_id, started_);
    out_ += "}\n\n";
    co_return co_await begin(started_, out_);
}

}  // namespace quire::gateway
