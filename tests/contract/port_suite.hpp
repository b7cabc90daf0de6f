#pragma once

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "runtime/wiring.hpp"
#include "tests/contract/port_case.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wired.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace quire::test {

using CaseNames = std::vector<std::string>;

/// A service as its module makes it, over a folder of its own. A suite's subject derives from it,
/// provides in its constructor what the module needs, and calls `build`.
template <class Port>
class PortSubject {
public:
    PortSubject() = default;
    ~PortSubject() {
        if (module_) module_->stop();
        loops_.stop();
    }
    PortSubject(const PortSubject&) = delete;
    PortSubject& operator=(const PortSubject&) = delete;

    /// Runs on a loop of the service: connections to upstreams belong to loops.
    std::string check(const PortCase<Port>& rule, Port& through) {
        return run_on(loops_.loop(0), check_case(rule, through));
    }
    /// What a planted fault is found by: those of the cases (of those named `among`, where any is)
    /// that a port fails which stands before this service.
    CaseNames failures(Port& through, const std::vector<PortCase<Port>>& cases,
                       const CaseNames& among = {}) {
        CaseNames failed;
        for (const PortCase<Port>& rule : cases) {
            const bool is_asked =
                among.empty() || std::find(among.begin(), among.end(), rule.name) != among.end();
            if (is_asked && !check(rule, through).empty()) failed.push_back(rule.name);
        }
        return failed;
    }

    std::shared_ptr<Port> port;

protected:
    using Make = Result<std::unique_ptr<runtime::Module>> (*)(runtime::Wiring& wiring);

    runtime::Wiring& wiring() { return wiring_; }
    void build(Make make) {
        auto made = make(wiring_);
        EXPECT_TRUE(made);
        if (made) module_ = *std::move(made);
        auto offered = wiring_.template need<Port>("the service under test");
        EXPECT_TRUE(offered);
        if (offered) port = *std::move(offered);
        const auto started = module_ ? module_->start() : Result<void>();
        EXPECT_TRUE(started);
    }

private:
    TemporaryFolder folder_;
    runtime::EventLoops loops_{1};
    SystemClock clock_;
    SystemRng rng_;
    runtime::Wiring wiring_{loops_, clock_, rng_, folder_.path()};
    std::unique_ptr<runtime::Module> module_;
};

template <class Subject, class Port>
class ServiceTest : public testing::Test {
public:
    explicit ServiceTest(PortCase<Port> rule) : rule_(std::move(rule)) {}
    void TestBody() override {
        Subject subject;
        EXPECT_EQ(subject.check(rule_, *subject.port), "");
    }

private:
    PortCase<Port> rule_;
};

/// Through the generated client, gRPC's wire and the generated server.
template <class Subject, class Client, class Port>
class WireTest : public testing::Test {
public:
    using Methods = std::vector<rpc::Method> (*)(Port& port);
    WireTest(PortCase<Port> rule, Methods methods) : rule_(std::move(rule)), methods_(methods) {}
    void TestBody() override {
        Subject subject;
        Wired wired(methods_(*subject.port));
        Client client(wired.channel);
        EXPECT_EQ(wired.run(check_case(rule_, client)), "");
    }

private:
    PortCase<Port> rule_;
    Methods methods_;
};

/// Makes of each case a test of the service, `<name>Contract.<case>`, and one of its wire client,
/// `<name>OverTheWire.<case>`. Gives true, so that a constant can be initialised with it.
template <class Subject, class Client, class Port>
bool register_suite(const std::string& name, const std::vector<PortCase<Port>>& cases,
                    std::vector<rpc::Method> (*methods)(Port& port)) {
    for (const PortCase<Port>& rule : cases) {
        testing::RegisterTest(
            (name + "Contract").c_str(), rule.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
            [rule] { return std::make_unique<ServiceTest<Subject, Port>>(rule).release(); });
        testing::RegisterTest(
            (name + "OverTheWire").c_str(), rule.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
            [rule, methods] {
                return std::make_unique<WireTest<Subject, Client, Port>>(rule, methods).release();
            });
    }
    return true;
}

}  // namespace quire::test
