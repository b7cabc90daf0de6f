#pragma once

#include "runtime/rpc/call_context.hpp"
#include "runtime/rpc/stream.hpp"

#include <google/protobuf/message.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quire::rpc {

enum class Access {
    kPublic,    ///< anybody
    kScope,     ///< a principal with the method's scope
    kInternal,  ///< other services only
    kOperator,  ///< quire.sock only
};

enum class MethodKind { kUnary, kServerStream, kTwoWay };

/// The wire's side of one call, whatever the wire is: JSON on the operator's socket, or gRPC.
class ServerStream {
public:
    virtual ~ServerStream() = default;
    /// Reads the next request message; false at its end.
    virtual awaitable<Result<bool>> read(google::protobuf::Message& message) = 0;
    virtual awaitable<Result<void>> write(const google::protobuf::Message& message) = 0;
};

/// One row of a service's generated method table.
struct Method {
    std::string_view service;  ///< `quire.auth.v1.Auth`
    std::string_view name;     ///< `CreateKey`
    MethodKind kind = MethodKind::kUnary;
    Access access = Access::kOperator;
    std::string_view scope;
    bool is_idempotent = false;
    /// Reads the request, calls the port, writes the answers.
    std::function<awaitable<Result<void>>(const CallContext&, ServerStream&)> serve;

    /// `/quire.auth.v1.Auth/CreateKey`
    std::string path() const;
    /// `auth.CreateKey`, as `quire call` names it.
    std::string short_name() const;
};

/// kPermissionDenied unless `principal` may call `method` from outside the process.
Result<void> check_access(const Method& method, const Principal& principal);

/// Every method of the services that run in this process.
class MethodRegistry {
public:
    void add(std::vector<Method> methods);
    /// By path or by short name; nullptr when there is none.
    const Method* find(std::string_view path_or_name) const;
    /// The name most like `name`, for "did you mean".
    std::string closest(std::string_view name) const;
    const std::vector<Method>& all() const { return methods_; }

private:
    std::vector<Method> methods_;
};

// What the generated tables are made of -------------------------------------------------------

/// Adapts a typed sink to the wire.
template <class T>
class WireSink final : public Sink<T> {
public:
    explicit WireSink(ServerStream& stream) : stream_(stream) {}
    awaitable<Result<void>> write(const T& message) override {
        auto written = co_await stream_.write(message);
        co_return written;
    }

private:
    ServerStream& stream_;
};

/// Reads the one request message of a unary call or a server stream.
template <class In>
awaitable<Result<In>> read_single(ServerStream& stream) {
    In in;
    QUIRE_CO_TRY(const bool has_message, stream.read(in));
    if (!has_message) co_return Error(ErrorCode::kInvalidValue, "the call has no request message");
    co_return in;
}

template <class Port, class In, class Out>
auto serve_unary(Port& port, awaitable<Result<Out>> (Port::*call)(const CallContext&, const In&)) {
    return [&port, call](const CallContext& ctx, ServerStream& stream) -> awaitable<Result<void>> {
        const auto in = co_await read_single<In>(stream);
        if (!in) co_return in.error();
        const auto out = co_await (port.*call)(ctx, *in);
        if (!out) co_return out.error();
        auto written = co_await stream.write(*out);
        co_return written;
    };
}

template <class Port, class In, class Out>
auto serve_stream(Port& port, awaitable<Result<void>> (Port::*call)(const CallContext&, const In&,
                                                                    Sink<Out>&)) {
    return [&port, call](const CallContext& ctx, ServerStream& stream) -> awaitable<Result<void>> {
        const auto in = co_await read_single<In>(stream);
        if (!in) co_return in.error();
        WireSink<Out> sink(stream);
        auto ended = co_await (port.*call)(ctx, *in, sink);
        co_return ended;
    };
}

/// Each message read is one push, answered before the next is read.
template <class In, class Out>
awaitable<Result<void>> pump_session(Session<In, Out>& session, ServerStream& stream) {
    In in;
    while (true) {
        in.Clear();
        QUIRE_CO_TRY(const bool has_message, stream.read(in));
        if (!has_message) break;
        QUIRE_CO_TRY(const Out answer, session.exchange(in));
        const auto written = co_await stream.write(answer);
        if (!written) co_return written.error();
    }
    QUIRE_CO_TRY(const Out last, session.finish());
    auto written = co_await stream.write(last);
    co_return written;
}

template <class Port, class In, class Out>
auto serve_session(Port& port, awaitable<Result<std::unique_ptr<Session<In, Out>>>> (Port::*open)(
                                   const CallContext&)) {
    return [&port, open](const CallContext& ctx, ServerStream& stream) -> awaitable<Result<void>> {
        auto opened = co_await (port.*open)(ctx);
        if (!opened) co_return opened.error();
        const std::unique_ptr<Session<In, Out>> session = *std::move(opened);
        auto ended = co_await pump_session(*session, stream);
        if (!ended) session->cancel();
        co_return ended;
    };
}

}  // namespace quire::rpc
