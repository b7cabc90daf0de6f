#include "services/inference/model_queue.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quire::inference {
namespace {

using std::chrono::milliseconds;

const prometheus::Histogram::BucketBoundaries kWaitBuckets{.001, .005, .01, .05, .1,
                                                           .5,   1,    5,   10,  30};

awaitable<bool> wait_for_turn(runtime::Wakeup& turn, milliseconds wait_max) {
    using asio::experimental::awaitable_operators::operator||;
    auto first = co_await (turn.wait() || runtime::sleep_for(wait_max));
    const bool is_turn = first.index() == 0;
    if (is_turn) co_return std::get<0>(first).has_value();
    ignore(std::get<1>(first), "the time is up or the caller left; the caller looks which");
    co_return false;
}

}  // namespace

ModelQueue::ModelQueue(const std::string& model, std::int64_t concurrency, std::int64_t queue,
                       const Clock& clock)
    : model_(model),
      concurrency_(concurrency),
      queue_max_(static_cast<std::size_t>(queue)),
      clock_(clock),
      depth_(runtime::gauge_family("quire_queue_depth", "Requests waiting for a model.")
                 .Add({{"model", model}})),
      wait_seconds_(
          runtime::histogram_family("quire_queue_wait_seconds", "How long requests waited.")
              .Add({{"model", model}}, kWaitBuckets)),
      refused_(runtime::counter_family("quire_queue_refused_total",
                                       "Requests refused because the queue was full.")
                   .Add({{"model", model}})) {}

ModelQueue::Place& ModelQueue::Place::operator=(Place&& other) noexcept {
    std::swap(queue_, other.queue_);
    return *this;
}

ModelQueue::Place::~Place() {
    if (queue_ != nullptr) queue_->leave();
}

awaitable<Result<ModelQueue::Place>> ModelQueue::enter(milliseconds wait_max) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(state)) co_return cancelled_error();
    const auto executor = co_await asio::this_coro::executor;
    const auto lined_up = line_up(executor);
    if (!lined_up) co_return lined_up.error();
    const std::shared_ptr<Waiter> waiter = *lined_up;
    if (waiter == nullptr) co_return Place(this);

    const runtime::GaugeGuard in_line(depth_);
    const SteadyTime began = clock_.steady();
    const bool is_turn = co_await wait_for_turn(waiter->turn, wait_max);
    wait_seconds_.Observe(std::chrono::duration<double>(clock_.steady() - began).count());
    const auto left = co_await asio::this_coro::cancellation_state;
    if (!is_turn && is_cancelled(left)) co_return settle(waiter, cancelled_error());
    co_return settle(waiter,
                     Error(ErrorCode::kQueueTimeout,
                           fmt::format("waited {} ms for a place at model '{}'; retry later",
                                       wait_max.count(), model_)));
}

/// nullptr: there was a place at once.
Result<std::shared_ptr<ModelQueue::Waiter>> ModelQueue::line_up(
    const asio::any_io_executor& executor) {
    const std::lock_guard lock(mutex_);
    if (running_ < concurrency_ && waiting_.empty()) {
        ++running_;
        return std::shared_ptr<Waiter>();
    }
    if (waiting_.size() >= queue_max_) {
        refused_.Increment();
        return Error(ErrorCode::kQueueFull,
                     fmt::format("{} requests wait for model '{}' already; retry later",
                                 waiting_.size(), model_))
            .with_detail("limit", std::to_string(queue_max_))
            .with_retry_after(retry_hint());
    }
    return waiting_.emplace_back(std::make_shared<Waiter>(executor));
}

/// The waiter's turn may have come in the moment in which it gave up: then the place is given on.
Result<ModelQueue::Place> ModelQueue::settle(const std::shared_ptr<Waiter>& waiter,
                                             Error otherwise) {
    {
        const std::lock_guard lock(mutex_);
        if (!waiter->has_place) {
            std::erase(waiting_, waiter);
            if (otherwise.code() == ErrorCode::kCancelled) return otherwise;
            return std::move(otherwise).with_retry_after(retry_hint());
        }
    }
    if (otherwise.code() == ErrorCode::kCancelled) {
        leave();
        return otherwise;
    }
    return Place(this);
}

void ModelQueue::leave() {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = clock_.steady();
    // Without a line the next may have come late: that says nothing about how long a turn takes.
    if (std::exchange(had_line_, !waiting_.empty())) {
        const double gap = std::chrono::duration<double>(now - last_leave_).count();
        seconds_per_leave_ = 0.9 * seconds_per_leave_ + 0.1 * std::min(gap, 60.0);
    }
    last_leave_ = now;
    if (waiting_.empty()) {
        --running_;
        return;
    }
    const std::shared_ptr<Waiter> next = std::move(waiting_.front());
    waiting_.pop_front();
    next->has_place = true;
    asio::post(next->executor, [next] { next->turn.notify(); });
}

/// Under the mutex: how long until everybody in line has had a turn, 1 s to 60 s.
milliseconds ModelQueue::retry_hint() const {
    const double seconds = seconds_per_leave_ * static_cast<double>(waiting_.size() + 1);
    return milliseconds(
        static_cast<std::int64_t>(std::clamp(std::ceil(seconds), 1.0, 60.0) * 1000));
}

std::size_t ModelQueue::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

std::int64_t ModelQueue::running() const {
    const std::lock_guard lock(mutex_);
    return running_;
}

}  // namespace quire::inference
