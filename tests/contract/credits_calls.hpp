#pragma once

#include "quire/credits/v1/credits_port.hpp"
#include "tests/contract/findings.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quire::test {

/// The calls of the port as the cases make them. `port` and `ctx` outlive each call.

/// A caller of a new organization that has nothing.
rpc::CallContext new_customer();
/// The same with this balance.
awaitable<Result<rpc::CallContext>> customer_with(credits::Credits& port, std::int64_t amount);

/// An admission of a new request: 10 input tokens at most, 20 output tokens wanted, for a minute.
/// It holds 50 micro-credits.
credits::v1::AdmitRequest new_admission();
inline constexpr std::int64_t kHeld = 50;

awaitable<Result<credits::v1::SettleResponse>> settle(credits::Credits& port,
                                                      std::string request_id, std::int64_t input,
                                                      std::int64_t output);
awaitable<Result<credits::v1::VoidHoldResponse>> void_hold(credits::Credits& port,
                                                           std::string request_id);
awaitable<Result<credits::v1::GrantResponse>> grant(credits::Credits& port,
                                                    const rpc::CallContext& ctx,
                                                    std::int64_t amount, std::string key = "g",
                                                    std::string reason = "contract");
/// "available held".
awaitable<Result<std::string>> balance(credits::Credits& port, const rpc::CallContext& ctx);
awaitable<Result<credits::v1::ListEntriesResponse>> list_entries(credits::Credits& port,
                                                                 const rpc::CallContext& ctx,
                                                                 std::string after = "",
                                                                 std::int32_t limit = 0);
/// "kind amount" of each entry, newest first.
awaitable<Result<std::vector<std::string>>> entries(credits::Credits& port,
                                                    const rpc::CallContext& ctx);
/// The open holds of this owner.
awaitable<Result<std::vector<std::string>>> open_holds(credits::Credits& port, std::string owner);
/// "type subject" of the events after `sequence`.
awaitable<Result<std::vector<std::string>>> told(credits::Credits& port, std::int64_t sequence);
awaitable<Result<std::int64_t>> last_told(credits::Credits& port);

}  // namespace quire::test
