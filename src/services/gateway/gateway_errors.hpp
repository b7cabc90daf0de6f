#pragma once

#include "base/error.hpp"
#include "runtime/http/http_server.hpp"

#include <string>
#include <string_view>

namespace quire::gateway {

/// `{"error":{"message","type","param","code","metadata"}}`: OpenAI's object, all four keys always
/// there; our details go to `metadata`.
std::string openai_error(const Error& error, std::string_view trace_id);

/// `openai-version`, as OpenAI's own answers have it; nothing outside of `/v1`.
void add_openai_version(http::Response& response, std::string_view path);

/// The error as an answer, in the dialect of the path it was asked on: OpenAI's under `/v1`,
/// problem+json under `/api/v1`.
http::Response error_response(const Error& error, std::string_view path,
                              std::string_view request_id, std::string_view trace_id);

/// The error as the last event of a stream whose 200 is out: `data: {…}` under `/v1`, `event:
/// error` with a problem under `/api/v1`.
std::string error_event(const Error& error, std::string_view path, std::string_view request_id,
                        std::string_view trace_id);

}  // namespace quire::gateway
