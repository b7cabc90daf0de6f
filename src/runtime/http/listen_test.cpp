#include "runtime/http/http_server.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sys/stat.h>

namespace quire::http {
namespace {

awaitable<void> do_nothing(Exchange& /*exchange*/) { co_return; }

class Listening : public testing::Test {
protected:
    ~Listening() override { server_.stop(); }

    Result<void> listen(std::string host, std::uint16_t port) {
        return server_.listen({{std::move(host), port}, ""});
    }
    Result<void> listen(std::string unix_path) {
        return server_.listen({{}, std::move(unix_path)});
    }

    test::TemporaryFolder folder_;
    runtime::EventLoops loops_{1};
    Server server_{
        loops_, "test", {}, do_nothing, [](const Error&, std::string_view) { return Response(); }};
};

TEST_F(Listening, PortZeroPicksAFreeOne) {
    ASSERT_TRUE(listen("127.0.0.1", 0));

    EXPECT_GT(server_.port(), 0);
}

TEST_F(Listening, SaysWhichAddressIsTaken) {
    ASSERT_TRUE(listen("127.0.0.1", 0));
    Server second(loops_, "second", {}, do_nothing,
                  [](const Error&, std::string_view) { return Response(); });

    const auto listening = second.listen({{"127.0.0.1", server_.port()}, ""});

    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code(), ErrorCode::kInvalidValue);
    EXPECT_NE(listening.error().message().find(std::to_string(server_.port())), std::string::npos);
    EXPECT_NE(listening.error().message().find("in use"), std::string::npos);
}

TEST_F(Listening, RefusesAHostThatIsNoAddress) {
    const auto listening = listen("example.org", 0);

    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code(), ErrorCode::kInvalidValue);
}

TEST_F(Listening, AUnixSocketIsForItsOwnerOnly) {
    const std::string path = folder_.path() / "own.sock";

    ASSERT_TRUE(listen(path));

    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(Listening, AUnixSocketReplacesOneThatWasLeft) {
    const std::string path = folder_.path() / "left.sock";
    std::ofstream(path) << "left by a process that was killed";

    EXPECT_TRUE(listen(path));
}

TEST_F(Listening, RefusesAPathTooLongForASocket) {
    const auto listening = listen(folder_.path() / std::string(120, 'x'));

    ASSERT_FALSE(listening);
    EXPECT_NE(listening.error().message().find("107 bytes"), std::string::npos);
}

TEST_F(Listening, StopsWithoutEverHavingListened) { server_.stop(); }

}  // namespace
}  // namespace quire::http
