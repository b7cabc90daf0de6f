#pragma once

#include "app/modules.hpp"
#include "app/settings.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wired.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quire::test {

/// Every service of the product but the gateway, with stores of its own and the model `sim`, and
/// gRPC's wire before all of them: a Unix socket and loopback.
class AllServices {
public:
    /// What a test does to each method before it is offered, such as opening it to anybody.
    using Change = std::function<void(rpc::Method&)>;

    explicit AllServices(const Change& change = {}) {
        const app::Settings settings;
        providers::ModelCatalog catalog = settings.catalog();
        EXPECT_TRUE(providers::complete_catalog(catalog));
        prompts::ContentConfig content;
        content.store = true;
        wiring_.set_settings(settings.credits_config(catalog));
        wiring_.set_settings(settings.inference_config(catalog));
        wiring_.set_settings(settings.review);
        wiring_.set_settings(settings.analytics);
        wiring_.set_settings(content);
        const auto order = app::start_order(app::all_modules());
        for (const app::ModuleSpec* spec : *order) {
            if (spec->name != "gateway") build(*spec);
        }
        for (const auto& module : modules_) EXPECT_TRUE(module->start());
        std::vector<rpc::Method> offered = methods().all();
        if (change) std::for_each(offered.begin(), offered.end(), change);
        unix_socket = std::make_unique<Wired>(offered, Wire::kUnixSocket);
        loopback = std::make_unique<Wired>(offered, Wire::kLoopback);
    }
    ~AllServices() {
        unix_socket.reset();
        loopback.reset();
        for (auto module = modules_.rbegin(); module != modules_.rend(); ++module) {
            (*module)->stop();
        }
        loops_.stop();
        while (!modules_.empty()) modules_.pop_back();
    }
    AllServices(const AllServices&) = delete;
    AllServices& operator=(const AllServices&) = delete;

    const rpc::MethodRegistry& methods() { return wiring_.methods(); }

    SystemClock clock;
    SystemRng rng;
    std::unique_ptr<Wired> unix_socket;
    std::unique_ptr<Wired> loopback;

private:
    void build(const app::ModuleSpec& spec) {
        auto made = spec.make(wiring_);
        EXPECT_TRUE(made) << spec.name;
        if (made) modules_.push_back(*std::move(made));
    }

    TemporaryFolder folder_;
    runtime::EventLoops loops_{1};
    runtime::Wiring wiring_{loops_, clock, rng, folder_.path()};
    std::vector<std::unique_ptr<runtime::Module>> modules_;
};

}  // namespace quire::test
