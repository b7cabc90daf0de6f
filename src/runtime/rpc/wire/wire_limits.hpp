#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace quire::rpc {

/// What a peer on the wire may cost us. The same on both ends.
struct WireLimits {
    /// One message: the public body limit and 2 MiB for what travels with it.
    std::size_t message_bytes_max = 12 * 1024 * 1024;
    /// All names and values of one header block, plus 32 bytes each (RFC 9113, 6.5.2).
    std::size_t header_list_bytes_max = 64 * 1024;
    /// Open calls of one connection.
    std::uint32_t calls_max = 10'000;
    std::size_t connections_max = 1'000;
    /// The odd number of a connection's first call. Each later one has two more, and after 2^31 - 1
    /// a new connection is made: tests begin near that.
    std::int32_t first_stream_id = 1;
    /// How far a producer may run ahead of its reader, bytes of each stream.
    std::uint32_t stream_window = 64 * 1024;
    /// Frames that belong to no call, each kind, per second; more ends the connection.
    std::uint32_t pings_per_second = 200;
    std::uint32_t settings_per_second = 20;
    /// Calls that the peer opens and resets: a burst, and how fast it is forgiven per second.
    std::uint64_t resets_burst = 2'000;
    std::uint64_t resets_per_second = 500;
    /// To the end of the peer's first frame.
    std::chrono::milliseconds handshake{10'000};
    std::chrono::milliseconds connect{5'000};
    /// A write that makes no progress.
    std::chrono::milliseconds write_stall{30'000};
    /// Silence after which a connection with open calls is asked for a sign of life, and how long
    /// the answer may take.
    std::chrono::milliseconds ping_after{20'000};
    std::chrono::milliseconds ping_timeout{20'000};
    /// How long a server that leaves waits, after a connection's last call, for its peer to close.
    std::chrono::milliseconds linger{1'000};
};

}  // namespace quire::rpc
