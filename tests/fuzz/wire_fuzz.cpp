// Any bytes from a peer, in any pieces, to either end of the wire: they are answered or refused,
// and when the peer is gone no call runs any more. The first byte picks the end and what comes
// before the rest, the second how that is cut.
#include "quire/conformance/v1/conformance_rpc.hpp"
#include "runtime/log.hpp"
#include "runtime/rpc/wire/http2_session.hpp"
#include "runtime/rpc/wire/wire_call.hpp"
#include "tests/contract/conformance_suite.hpp"
#include "tests/support/raw_http2.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/connect_pair.hpp>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string_view>

namespace {

namespace asio = boost::asio;
using namespace quire;
using asio::local::stream_protocol;
using rpc::Http2Role;
using rpc::Http2Session;
using rpc::Http2Stream;
using test::RawHttp2;

const std::string kCount = "/quire.conformance.v1.Conformance/Count";

/// What all runs share: the service, and its methods by their paths.
struct Served {
    std::shared_ptr<conformance::Conformance> service = test::make_conformance_service();
    std::vector<rpc::Method> methods = conformance::conformance_methods(*service);
    rpc::WireMethods by_path;
    SystemClock clock;
    SeededRng rng{1};
    rpc::WireCallDeps deps{by_path, clock, rng};

    Served() {
        for (const rpc::Method& method : methods) by_path.emplace(method.path(), &method);
    }
};

/// One connection: our end, and a peer that writes whatever it likes.
class Connection {
public:
    explicit Connection(Http2Role role) : ours_(loop_), peer_(loop_) {
        asio::local::connect_pair(ours_, peer_);
        peer_.non_blocking(true);
        session_ = std::make_shared<Http2Session>(loop_, Http2Session::Socket(std::move(ours_)),
                                                  role, rpc::WireLimits());
        session_->on_call = [this](const std::shared_ptr<Http2Stream>& stream) { serve(stream); };
        session_->on_stream_closed = [this](Http2Stream& stream) {
            const auto call = calls_.find(&stream);
            if (call != calls_.end()) rpc::WireCall::cancel(call->second);
        };
        session_->start();
        if (role == Http2Role::kClient) ask();
    }

    void receive(std::string_view bytes) {
        boost::system::error_code ec;
        while (!bytes.empty() && !ec) {
            bytes.remove_prefix(peer_.write_some(asio::buffer(bytes), ec));
            turn();
        }
    }
    /// The peer leaves; true when nothing runs after it.
    bool ends() {
        peer_.close();
        turn();
        const bool has_ended = running_ == 0;
        session_->close();
        turn();
        return has_ended && running_ == 0;
    }

private:
    void serve(const std::shared_ptr<Http2Stream>& stream) {
        static Served served;
        auto call = std::make_shared<rpc::WireCall>(loop_, stream, served.deps, true);
        calls_.emplace(stream.get(), call);
        ++running_;
        auto on_end = [this, stream, call](const std::exception_ptr& escaped) {
            if (escaped) std::abort();
            calls_.erase(stream.get());
            --running_;
        };
        asio::co_spawn(loop_, call->run(),
                       asio::bind_cancellation_slot(call->cancel_slot(), std::move(on_end)));
    }
    /// A client's call, read to its end whatever comes.
    void ask() {
        auto opened = session_->open(RawHttp2::call(kCount));
        if (!opened) std::abort();
        ++running_;
        auto on_end = [this](const std::exception_ptr& escaped) {
            if (escaped) std::abort();
            --running_;
        };
        asio::co_spawn(loop_, read_all(*opened), std::move(on_end));
    }
    static awaitable<void> read_all(std::shared_ptr<Http2Stream> stream) {
        std::string bytes;
        while (true) {
            const auto has_message = co_await stream->read(bytes);
            if (!has_message || !*has_message) co_return;
        }
    }
    /// Lets our end work, and takes what it says.
    void turn() {
        std::array<char, 4096> said{};
        boost::system::error_code ec;
        do {
            loop_.restart();
            while (loop_.poll() > 0) loop_.restart();
            ec.clear();
        } while (peer_.is_open() && peer_.read_some(asio::buffer(said), ec) > 0);
    }

    asio::io_context loop_{1};
    stream_protocol::socket ours_;
    stream_protocol::socket peer_;
    std::shared_ptr<Http2Session> session_;
    std::map<const Http2Stream*, std::shared_ptr<rpc::WireCall>> calls_;
    int running_ = 0;
};

/// What a peer says first, so that the fuzzer need not find it.
std::string beginning(int kind, Http2Role role) {
    const std::string settings = RawHttp2::frame(4, 0, 0, "");
    if (kind == 0) return "";
    if (role == Http2Role::kClient) return settings;
    std::string said = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings;
    if (kind == 1) return said;
    const char* names[] = {"Echo", "Count", "Sum"};
    rpc::HeaderList call =
        RawHttp2::call(std::string("/quire.conformance.v1.Conformance/") + names[kind % 3]);
    call.emplace_back("quire-call-bin", "MAE");  // the operator's: it may call everything
    return said + RawHttp2::headers(1, call);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool is_quiet = [] {
        runtime::configure_log(runtime::LogLevel::off, runtime::LogFormat::text);
        return true;
    }();
    if (size < 2 || !is_quiet) return 0;
    const Http2Role role = data[0] & 1 ? Http2Role::kClient : Http2Role::kServer;
    const std::size_t piece = data[1] == 0 ? size : data[1];
    std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    Connection connection(role);
    connection.receive(beginning(data[0] / 2 % 6, role));
    while (!bytes.empty()) {
        connection.receive(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    if (!connection.ends()) std::abort();
    return 0;
}
