#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

namespace quire::runtime {

/// The process's metrics; `/metrics` shows them. Labels come from closed sets only: never a user, a
/// key or a prompt.
prometheus::Registry& metrics();
/// Prometheus text format 0.0.4.
std::string metrics_text();

prometheus::Family<prometheus::Counter>& counter_family(const std::string& name,
                                                        const std::string& help);
prometheus::Family<prometheus::Gauge>& gauge_family(const std::string& name,
                                                    const std::string& help);
prometheus::Family<prometheus::Histogram>& histogram_family(const std::string& name,
                                                            const std::string& help);

/// Live coroutines of all task groups: `quire_tasks`.
prometheus::Gauge& live_tasks();
/// `quire_bugs_total`: exceptions that reached a last resort.
void count_bug();

/// Adds one while it lives: a gauge that an early return cannot leak.
class GaugeGuard {
public:
    explicit GaugeGuard(prometheus::Gauge& gauge) : gauge_(&gauge) { gauge_->Increment(); }
    ~GaugeGuard() { gauge_->Decrement(); }
    GaugeGuard(const GaugeGuard&) = delete;
    GaugeGuard& operator=(const GaugeGuard&) = delete;

private:
    prometheus::Gauge* gauge_;
};

}  // namespace quire::runtime
