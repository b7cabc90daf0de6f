#pragma once

#include "quire/conformance/v1/conformance_port.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quire::test {

/// One rule of the binding that holds on every way to reach a port. `check` gives "" when it holds,
/// else what was seen instead, so that a port that is broken on purpose can be shown to be caught.
struct ConformanceCase {
    std::string name;
    std::function<awaitable<std::string>(conformance::Conformance& port)> check;
};

/// Streams, cancel, deadline, errors, limits. Runs on a port, on its fake, and on its wire client.
const std::vector<ConformanceCase>& conformance_cases();

/// What the suite expects of an implementation: the one that is right.
std::shared_ptr<conformance::Conformance> make_conformance_service();

/// The generated fake, set to do what the service does.
std::shared_ptr<conformance::Conformance> make_conformance_fake();

}  // namespace quire::test
