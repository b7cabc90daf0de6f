#include "quire/conformance/v1/conformance_rpc.hpp"
#include "tests/contract/conformance_suite.hpp"
#include "tests/support/wired.hpp"

namespace quire::test {
namespace {

using conformance::ConformanceClient;

/// The binding's suite on the wire client, over both kinds of sockets.
class WireConformance : public testing::TestWithParam<std::tuple<Wire, ConformanceCase>> {};

TEST_P(WireConformance, Holds) {
    const auto& [wire, rule] = GetParam();
    const auto service = make_conformance_service();
    Wired wired(conformance::conformance_methods(*service), wire);
    ConformanceClient client(wired.channel);

    EXPECT_EQ(wired.run(rule.check(client)), "");
}

INSTANTIATE_TEST_SUITE_P(Binding, WireConformance,
                         testing::Combine(testing::Values(Wire::kUnixSocket, Wire::kLoopback),
                                          testing::ValuesIn(conformance_cases())),
                         [](const auto& instance) {
                             const bool is_unix = std::get<0>(instance.param) == Wire::kUnixSocket;
                             return (is_unix ? "UnixSocket" : "Loopback") +
                                    std::get<1>(instance.param).name;
                         });

}  // namespace
}  // namespace quire::test
