#include "services/credits/ledger_writer.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

#include <algorithm>

namespace quire::credits {
namespace {

using std::chrono::microseconds;

constexpr std::size_t kBatchMax = 256;
constexpr std::size_t kSweepMax = 1024;
/// How long the thread sleeps at most, and so how late an expiry may be seen.
constexpr microseconds kIdle{std::chrono::seconds(1)};
constexpr microseconds kRest{std::chrono::milliseconds(1)};

const prometheus::Histogram::BucketBoundaries kCommitBuckets{
    .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5};

struct Metrics {
    prometheus::Counter& operations =
        runtime::counter_family("quire_ledger_operations_total", "Operations of the ledger.")
            .Add({});
    prometheus::Counter& refused =
        runtime::counter_family("quire_ledger_refused_total",
                                "Operations refused because too many waited.")
            .Add({});
    prometheus::Counter& failed = runtime::counter_family("quire_ledger_failed_batches_total",
                                                          "Batches that could not be written.")
                                      .Add({});
    prometheus::Counter& expired =
        runtime::counter_family("quire_ledger_expired_holds_total", "Holds nobody resolved.")
            .Add({});
    prometheus::Histogram& batch =
        runtime::histogram_family("quire_ledger_batch_seconds",
                                  "Time of a batch, its commit with fsync included.")
            .Add({}, kCommitBuckets);
};

Metrics& metrics() {
    static Metrics all;
    return all;
}

}  // namespace

/// Releases what has expired; rides with a batch, and makes one when nothing else does.
class LedgerWriter::Sweep final : public LedgerOperation {
public:
    void apply(Ledger& ledger) override { expired_ = ledger.expire_due(kSweepMax); }
    void answer(const Result<void>& committed) override {
        if (!committed || expired_ == 0) return;
        metrics().expired.Increment(static_cast<double>(expired_));
        QUIRE_LOG(warn, "holds expired", {"count", expired_});
    }

private:
    std::size_t expired_ = 0;
};

LedgerWriter::LedgerWriter(Ledger& ledger, const Clock& clock, std::size_t waiting_max)
    : ledger_(ledger), clock_(clock), waiting_max_(waiting_max) {}

void LedgerWriter::start() {
    thread_.start("ledger", [this] { loop(); });
}

void LedgerWriter::stop() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    arrived_.notify_one();
    thread_.join();
}

bool LedgerWriter::push(LedgerOperation& operation) {
    bool wakes = false;
    {
        const std::lock_guard lock(mutex_);
        if (is_stopping_ || waiting_.size() >= waiting_max_) {
            metrics().refused.Increment();
            return false;
        }
        wakes = waiting_.empty();
        waiting_.push_back(&operation);
    }
    if (wakes) arrived_.notify_one();
    return true;
}

void LedgerWriter::loop() {
    std::vector<LedgerOperation*> batch;
    while (take(batch)) run_batch(batch);
}

bool LedgerWriter::take(std::vector<LedgerOperation*>& batch) {
    batch.clear();
    const auto due = std::clamp(ledger_.time_to_next_expiry().value_or(kIdle), kRest, kIdle);
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, due, [this] { return is_stopping_ || !waiting_.empty(); });
    const auto count = static_cast<std::ptrdiff_t>(std::min(kBatchMax, waiting_.size()));
    batch.assign(waiting_.begin(), waiting_.begin() + count);
    waiting_.erase(waiting_.begin(), waiting_.begin() + count);
    return !batch.empty() || !is_stopping_;
}

void LedgerWriter::run_batch(std::vector<LedgerOperation*>& batch) {
    Sweep sweep;
    const auto due = ledger_.time_to_next_expiry();
    const bool rides_along = !batch.empty() && ledger_.is_pruning_due();
    if (rides_along || (due && *due == microseconds(0))) batch.push_back(&sweep);
    if (batch.empty()) return;
    const auto count = static_cast<double>(batch.size());
    const bool was_open = ledger_.is_open();
    const SteadyTime began = clock_.steady();
    ledger_.run(batch);
    metrics().batch.Observe(std::chrono::duration<double>(clock_.steady() - began).count());
    metrics().operations.Increment(count);
    if (ledger_.is_open()) return;
    metrics().failed.Increment();
    if (was_open) QUIRE_LOG(error, "the ledger cannot be written", {"operations", count});
}

}  // namespace quire::credits
