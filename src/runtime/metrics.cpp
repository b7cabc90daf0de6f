#include "runtime/metrics.hpp"

#include <prometheus/text_serializer.h>

namespace quire::runtime {

prometheus::Registry& metrics() {
    static prometheus::Registry registry;
    return registry;
}

std::string metrics_text() { return prometheus::TextSerializer().Serialize(metrics().Collect()); }

prometheus::Family<prometheus::Counter>& counter_family(const std::string& name,
                                                        const std::string& help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(metrics());
}

prometheus::Family<prometheus::Gauge>& gauge_family(const std::string& name,
                                                    const std::string& help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(metrics());
}

prometheus::Family<prometheus::Histogram>& histogram_family(const std::string& name,
                                                            const std::string& help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(metrics());
}

prometheus::Gauge& live_tasks() {
    static prometheus::Gauge& gauge =
        gauge_family("quire_tasks", "Live coroutines of all task groups.").Add({});
    return gauge;
}

void count_bug() {
    static prometheus::Counter& counter =
        counter_family("quire_bugs_total", "Exceptions that reached a last resort.").Add({});
    counter.Increment();
}

}  // namespace quire::runtime
