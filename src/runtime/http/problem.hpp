#pragma once

#include "base/error.hpp"
#include "runtime/http/http_server.hpp"
#include "runtime/json.hpp"

#include <string>
#include <string_view>

namespace quire::http {

/// What a handler's kCancelled means, by why it was cancelled: kDeadlineExceeded, kShuttingDown, or
/// that the client left. Other errors stay what they are.
Error cancelled_by(CancelReason reason, const Error& error);

/// The HTTP status of an error: its row's, unless a detail `http_status` narrows it (a provider's
/// 422 stays one); 500 for codes that never are a status of their own.
int status_of(const Error& error);

/// A detail of an error as clients see it: an integer where it counts something (`balance` and
/// `required` in micro-credits, `limit`), else text.
json::value detail_json(std::string_view key, std::string_view value);

/// The error as RFC 9457 `application/problem+json`, the dialect of `/api/v1` and of quire.sock.
/// `param` detail becomes `errors[].pointer`. Without a trace id there is no such member.
Response problem(const Error& error, std::string_view request_id, std::string_view trace_id = "");

/// Headers that both dialects share: `x-request-id`, `retry-after`, `www-authenticate`,
/// `x-should-retry: false` on what cannot get better.
void add_error_headers(Response& response, const Error& error, std::string_view request_id);

}  // namespace quire::http
