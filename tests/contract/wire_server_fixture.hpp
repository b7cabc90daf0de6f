#pragma once

#include "quire/conformance/v1/conformance_fake.hpp"
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "tests/contract/conformance_suite.hpp"
#include "tests/support/raw_http2.hpp"
#include "tests/support/wired.hpp"

#include <gtest/gtest.h>

namespace quire::test {

inline constexpr std::chrono::milliseconds kInTime{3000};
inline const std::string kEcho = "/quire.conformance.v1.Conformance/Echo";

/// The conformance service, or its fake, behind a wire server.
class WireServerFixture : public testing::Test {
protected:
    void serve(rpc::WireLimits limits = {}, Wire wire = Wire::kUnixSocket) {
        wired_.emplace(conformance::conformance_methods(*service_), wire, limits);
    }
    void serve_fake(Wire wire = Wire::kUnixSocket, rpc::WireLimits limits = {}) {
        wired_.emplace(conformance::conformance_methods(fake_), wire, limits);
    }
    RawHttp2 raw_peer() { return RawHttp2(wired_->address.unix_path); }

    Result<conformance::v1::EchoResponse> echo(const conformance::v1::EchoRequest& request,
                                               const rpc::CallContext& ctx = {}) {
        conformance::ConformanceClient client(wired_->channel);
        return wired_->run(client.echo(ctx, request));
    }
    void expect_still_serving() {
        conformance::v1::EchoRequest request;
        request.set_text("still there");
        const auto answer = echo(request);
        ASSERT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(answer->text(), "still there");
    }

    std::shared_ptr<conformance::Conformance> service_ = make_conformance_service();
    conformance::FakeConformance fake_;
    std::optional<Wired> wired_;
};

}  // namespace quire::test
