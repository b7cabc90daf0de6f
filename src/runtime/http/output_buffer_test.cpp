#include "runtime/http/output_buffer.hpp"

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>

#include <array>

namespace quire::http {
namespace {

using namespace std::chrono_literals;
using Local = asio::local::stream_protocol;

/// A buffer whose peer reads when the test says so, on a loop that the test turns by hand.
class OutputBufferTest : public testing::Test {
protected:
    OutputBufferTest() {
        Local::socket ours(loop_);
        asio::local::connect_pair(ours, peer_);
        socket_ = std::move(ours);
        socket_.non_blocking(true);
        peer_.non_blocking(true);
    }
    static OutputBuffer::Hooks hooks() {
        return {[] { return std::make_shared<int>(); }, [] { ADD_FAILURE() << "stalled"; },
                [] { ADD_FAILURE() << "failed"; }};
    }
    /// Sends, and lets the peer take all of it; the bytes that it took.
    std::size_t send(std::size_t bytes) {
        out_.text().append(bytes, 'x');
        out_.flush();
        std::size_t taken = take();
        while (out_.unsent() > 0) {
            loop_.restart();
            loop_.poll();
            taken += take();
        }
        return taken + take();
    }
    std::size_t take() {
        std::array<char, 16 * 1024> bytes{};
        boost::system::error_code ec;
        std::size_t taken = 0;
        while (!ec) taken += peer_.read_some(asio::buffer(bytes), ec);
        return taken;
    }

    asio::io_context loop_{1};
    Local::socket peer_{loop_};
    OutputBuffer::Socket socket_{loop_};
    OutputBuffer out_{loop_, socket_, 1h, hooks()};
};

/// What fits the socket goes at once, and what does not piece by piece.
TEST_F(OutputBufferTest, GivesTheRoomOfALargeAnswerBack) {
    for (const std::size_t large : {100'000u, 8'000'000u}) {
        EXPECT_EQ(send(large), large);
        // What gathers next does so in the string that was sent before.
        EXPECT_EQ(send(1), 1u);

        EXPECT_LE(out_.text().capacity(), 64u * 1024) << large;
        EXPECT_EQ(send(1), 1u);
        EXPECT_LE(out_.text().capacity(), 64u * 1024) << large;
    }
}

TEST_F(OutputBufferTest, KeepsTheRoomOfASmallAnswer) {
    EXPECT_EQ(send(10'000), 10'000u);
    EXPECT_EQ(send(1), 1u);

    EXPECT_GE(out_.text().capacity(), 10'000u);
}

}  // namespace
}  // namespace quire::http
