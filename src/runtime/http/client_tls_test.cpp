// A connection over TLS, against a server with a certificate of its own making.
#include "runtime/http/client_connection.hpp"
#include "tests/support/readable.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <netinet/tcp.h>
#include <thread>

namespace quire::http {
namespace {

using asio::ip::tcp;

constexpr std::string_view kHelloOverTls = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

asio::ssl::context self_signed() {
    asio::ssl::context context(asio::ssl::context::tls_server);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    EXPECT_EQ(SSL_CTX_use_certificate(context.native_handle(), certificate.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context.native_handle(), key.get()), 1);
    return context;
}

/// While corked, what is written gathers in one segment.
void set_cork(tcp::socket& socket, int is_corked) {
    EXPECT_EQ(
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_CORK, &is_corked, sizeof(is_corked)),
        0);
}

/// Answers one request with `records`, one of TLS each, that all arrive together; then waits for
/// the client's end.
void answer_with(tcp::acceptor& acceptor, const std::vector<std::string_view>& records) {
    ASSERT_TRUE(test::is_readable_soon(acceptor.native_handle()));
    asio::ssl::context context = self_signed();
    asio::ssl::stream<tcp::socket> stream(acceptor.accept(), context);
    boost::system::error_code ec;
    stream.handshake(asio::ssl::stream_base::server, ec);
    ASSERT_FALSE(ec) << ec.message();
    std::string request;
    asio::read_until(stream, asio::dynamic_buffer(request), "\r\n\r\n", ec);
    ASSERT_FALSE(ec) << ec.message();
    set_cork(stream.next_layer(), 1);
    for (const std::string_view record : records) asio::write(stream, asio::buffer(record), ec);
    set_cork(stream.next_layer(), 0);
    EXPECT_TRUE(test::is_readable_soon(stream.next_layer().native_handle()));
}

/// Reads one answer to its end: whether the connection may then be used again.
awaitable<Result<bool>> is_reusable_after_answer(asio::io_context& loop, const Target& target) {
    TlsContext tls;
    tls.get().set_verify_mode(asio::ssl::verify_none);
    ClientConnection connection(loop, tls);
    const ClientTimeouts timeouts;
    const std::string request = "GET / HTTP/1.1\r\nhost: upstream\r\n\r\n";
    const auto connected = co_await connection.connect(target, timeouts.connect);
    if (!connected) co_return connected.error();
    const auto answered = co_await connection.exchange(request, timeouts);
    if (!answered) co_return answered.error();
    std::string body;
    while (true) {
        QUIRE_CO_TRY(const std::string_view bytes, connection.read_body_some());
        if (bytes.empty()) break;
        body += bytes;
    }
    EXPECT_EQ(body, "hello");
    co_return connection.is_reusable();
}

TEST(ClientTls, KeepsAConnectionOnlyWhenNothingCameBehindTheAnswer) {
    runtime::EventLoops loops(1);
    for (const bool has_more : {false, true}) {
        asio::io_context context;
        tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
        std::vector<std::string_view> records{kHelloOverTls};
        if (has_more) records.push_back(kHelloOverTls);
        const std::jthread server([&] { answer_with(acceptor, records); });
        Target target;
        target.url = {true, "127.0.0.1", acceptor.local_endpoint().port(), ""};

        const auto is_reusable =
            test::run_on(loops.loop(0), is_reusable_after_answer(loops.loop(0), target));

        ASSERT_TRUE(is_reusable) << is_reusable.error().message();
        EXPECT_EQ(*is_reusable, !has_more);
    }
}

}  // namespace
}  // namespace quire::http
