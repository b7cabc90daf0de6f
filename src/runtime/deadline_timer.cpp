#include "runtime/deadline_timer.hpp"

#include <algorithm>

namespace quire::runtime {

/// All deadlines of one loop behind a single Asio timer. It is armed for the earliest one; moving a
/// deadline later leaves it armed, and the early expiry then only looks and arms again.
class DeadlineTimers : public asio::execution_context::service {
public:
    using key_type = DeadlineTimers;
    static inline asio::execution_context::id id;

    explicit DeadlineTimers(asio::execution_context& context)
        : service(context), timer_(static_cast<asio::io_context&>(context)) {}

    void shutdown() override { timer_.cancel(); }

    std::list<Deadline*>::iterator add(Deadline* deadline) {
        return deadlines_.insert(deadlines_.end(), deadline);
    }
    void remove(std::list<Deadline*>::iterator place) { deadlines_.erase(place); }

    void arm(SteadyTime when) {
        if (when >= armed_) return;
        armed_ = when;
        timer_.expires_at(when);
        timer_.async_wait([this](boost::system::error_code ec) {
            if (!ec) look();
        });
    }

private:
    /// Scanning all is cheap against how rarely it happens: at most once per kStep.
    void look() {
        const SteadyTime now = std::chrono::steady_clock::now();
        std::vector<Deadline*> expired;
        SteadyTime next = SteadyTime::max();
        for (Deadline* deadline : deadlines_) {
            if (deadline->when_ <= now) {
                expired.push_back(deadline);
            } else {
                next = std::min(next, deadline->when_);
            }
        }
        armed_ = SteadyTime::max();
        if (next != SteadyTime::max()) arm(std::max(next, now + kStep));
        for (Deadline* deadline : expired) {
            // An earlier callback may have destroyed or moved this one.
            const auto found = std::find(deadlines_.begin(), deadlines_.end(), deadline);
            if (found == deadlines_.end() || deadline->when_ > now) continue;
            deadline->clear();
            const auto on_expiry = deadline->on_expiry_;  // it may destroy its own Deadline
            on_expiry();
        }
    }

    static constexpr std::chrono::milliseconds kStep{2};

    asio::steady_timer timer_;
    std::list<Deadline*> deadlines_;
    SteadyTime armed_ = SteadyTime::max();
};

Deadline::Deadline(asio::io_context& loop, std::function<void()> on_expiry)
    : timers_(asio::use_service<DeadlineTimers>(loop)),
      on_expiry_(std::move(on_expiry)),
      place_(timers_.add(this)) {}

Deadline::~Deadline() { timers_.remove(place_); }

void Deadline::expire_at(SteadyTime when) {
    when_ = when;
    if (when != SteadyTime::max()) timers_.arm(when);
}

void Deadline::expire_after(std::chrono::nanoseconds duration) {
    expire_at(std::chrono::steady_clock::now() + duration);
}

}  // namespace quire::runtime
