#pragma once

#include "base/clock.hpp"
#include "runtime/trace_context.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quire::rpc {

/// For whom a call is made. Comes from the key or the operator's socket, never from a message.
struct Principal {
    std::string org_id;
    std::string project_id;
    std::string user_id;
    std::string key_id;
    std::vector<std::string> scopes;
    bool is_operator = false;  ///< came through quire.sock: may call everything

    bool has_scope(std::string_view scope) const {
        return is_operator || std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
    }
};

/// How many retries a request has left, over all the calls it makes. One request runs in one
/// coroutine at a time, so there is no lock.
class RetryBudget {
public:
    explicit RetryBudget(int retries) : left_(retries) {}
    bool take() { return left_ > 0 && left_-- > 0; }
    int left() const { return left_; }

private:
    int left_;
};

/// Where a request came in, as far as the story of its end depends on it.
class Edge {
public:
    /// The client has a status already, and perhaps nothing more.
    virtual bool has_begun_answering() const = 0;
    /// A cancellation comes from there, not from the client.
    virtual bool is_stopping() const = 0;

protected:
    ~Edge() = default;
};

/// Travels with every call of a request, in process by reference, apart as metadata.
struct CallContext {
    std::string request_id;
    Principal principal;
    SteadyTime deadline = SteadyTime::max();
    std::shared_ptr<RetryBudget> retries;
    runtime::TraceContext trace;
    std::string idempotency_key;
    bool is_shadow = false;  ///< a copy whose answer is thrown away and never billed
    std::string route;       ///< which deployment serves it, when routes are split
    std::string variant;
    const Edge* edge = nullptr;  ///< lives as long as the call; none behind a wire
};

}  // namespace quire::rpc
