#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "quire/common/v1/chat.pb.h"
#include "runtime/http/http_server.hpp"

#include <chrono>
#include <memory>
#include <mutex>

namespace quire::providers {

/// What `quire sim` can be told. Rates are probabilities from 0 to 1.
struct SimServerOptions {
    std::chrono::milliseconds ttft{50};
    std::chrono::milliseconds itl{10};
    std::int64_t tokens = 120;
    std::uint64_t seed = 1;
    double fail_rate = 0;  ///< answers 500 before anything else
    double cut_rate = 0;   ///< closes the connection in the middle of the answer
};

/// An OpenAI-compatible server without a model: `POST /v1/chat/completions` (plain and streamed),
/// `GET /v1/models`. For tests and benches of whatever speaks to one. It takes any key.
class SimServer {
public:
    SimServer(SimServerOptions options, const Clock& clock);
    ~SimServer();

    awaitable<void> handle(http::Exchange& exchange);

private:
    struct Chat;
    awaitable<Result<void>> complete(http::Exchange& exchange);
    awaitable<Result<void>> answer_plain(http::Exchange& exchange, const Chat& chat);
    awaitable<Result<void>> answer_stream(http::Exchange& exchange, const Chat& chat);
    /// Draws from the seeded source; several loops may ask.
    bool happens(double rate);

    SimServerOptions options_;
    const Clock& clock_;
    std::mutex mutex_;
    SeededRng rng_;
    std::uint64_t answers_ = 0;
};

}  // namespace quire::providers
