#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/rng.hpp"
#include "runtime/event_loops.hpp"
#include "runtime/rpc/method.hpp"

#include <any>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeindex>

namespace quire::runtime {

/// What a module does after it was built: start serving, and stop. Modules stop in the reverse
/// order of their start.
class Module {
public:
    virtual ~Module() = default;
    /// Everything that needs the other modules to be there. Runs on the main thread.
    virtual Result<void> start() { return {}; }
    /// False with a reason while the module cannot serve; for `/readyz`.
    virtual Result<void> check_ready() { return {}; }
    /// Refuses new work and lets the running go on.
    virtual void begin_drain() {}
    /// Exchanges, streams and tasks that a drain still waits for.
    virtual std::size_t running() { return 0; }
    /// Cancels what runs and returns when nothing of the module runs any more.
    virtual void stop() {}
};

/// What makes a new folder usable, asked of the service that owns identities.
struct FirstRun {
    /// On a first (or interrupted) run: makes organization, project, user and a key with every
    /// scope; gives the key. nullopt on every other run.
    std::function<Result<std::optional<std::string>>()> prepare;
    /// The ready line is out: the next start is no first run.
    std::function<Result<void>()> complete;
};

/// What modules are built from: loops, clock, random source, their own settings, and the ports that
/// they offer each other. Only the module files of services and app/ see it.
class Wiring {
public:
    Wiring(EventLoops& loops, const Clock& clock, Rng& rng, std::filesystem::path data)
        : loops_(loops), clock_(clock), rng_(rng), data_(std::move(data)) {}

    EventLoops& loops() { return loops_; }
    const Clock& clock() const { return clock_; }
    Rng& rng() { return rng_; }
    /// The data folder of this process.
    const std::filesystem::path& data() const { return data_; }
    rpc::MethodRegistry& methods() { return methods_; }
    FirstRun first_run;

    /// A module reads its own settings only: one struct, set by app/ before modules are built.
    template <class T>
    void set_settings(T settings) {
        settings_.insert_or_assign(typeid(T), std::any(std::move(settings)));
    }
    template <class T>
    const T& settings() const {
        const auto found = settings_.find(typeid(T));
        QUIRE_ASSERT(found != settings_.end(), "a module's settings are set before it is built");
        return *std::any_cast<T>(&found->second);
    }

    /// Offers a port to the other modules, and its methods to `quire call` and the wire.
    template <class Port>
    void provide(std::shared_ptr<Port> port, std::vector<rpc::Method> methods) {
        ports_.insert_or_assign(typeid(Port), std::static_pointer_cast<void>(std::move(port)));
        methods_.add(std::move(methods));
    }
    /// The port of a module that was built before.
    template <class Port>
    Result<std::shared_ptr<Port>> need(std::string_view name) const {
        const auto found = ports_.find(typeid(Port));
        if (found == ports_.end()) {
            return Error(ErrorCode::kInternalError,
                         "the service '" + std::string(name) + "' does not run in this process");
        }
        return std::static_pointer_cast<Port>(found->second);
    }

private:
    EventLoops& loops_;
    const Clock& clock_;
    Rng& rng_;
    std::filesystem::path data_;
    rpc::MethodRegistry methods_;
    std::map<std::type_index, std::any> settings_;
    std::map<std::type_index, std::shared_ptr<void>> ports_;
};

}  // namespace quire::runtime
