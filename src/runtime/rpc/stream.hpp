#pragma once

#include "runtime/async.hpp"
#include "runtime/rpc/call_context.hpp"

namespace quire::rpc {

/// Where a server stream goes. `write` waits until there is room, so a slow reader slows its
/// producer down; on an error the producer stops and returns it, so a reader can end a producer. In
/// one process `write` runs straight into the reader: no queue lies between.
template <class T>
class Sink {
public:
    virtual ~Sink() = default;
    virtual awaitable<Result<void>> write(const T& message) = 0;
};

/// One two-way stream: every push has exactly one answer. Ends with `finish` (half-closes, gets one
/// last answer) or `cancel` (idempotent), and exactly one of them before it dies.
template <class In, class Out>
class Session {
public:
    virtual ~Session() = default;
    virtual awaitable<Result<Out>> exchange(const In& message) = 0;
    virtual awaitable<Result<Out>> finish() = 0;
    virtual void cancel() = 0;
};

}  // namespace quire::rpc
