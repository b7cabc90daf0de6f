#pragma once

#include "quire/credits/v1/credits_port.hpp"
#include "services/credits/credits_config.hpp"
#include "services/credits/ledger_verifier.hpp"
#include "services/credits/ledger_writer.hpp"
#include "services/credits/price_list.hpp"
#include "storage/database.hpp"

namespace quire::credits {

/// The port's implementation: what moves money goes to the ledger's thread, what only reads to the
/// store's reading pool. Safe from several loops.
class CreditsService final : public Credits {
public:
    struct Deps {
        LedgerWriter& writer;
        storage::Database& database;
        LedgerVerifier& verifier;
    };
    CreditsService(Deps deps, const CreditsConfig& config, PriceList prices)
        : deps_(deps), catalog_(config.catalog), prices_(std::move(prices)) {}

    awaitable<Result<v1::AdmitResponse>> admit(const rpc::CallContext& ctx,
                                               const v1::AdmitRequest& request) override;
    awaitable<Result<v1::SettleResponse>> settle(const rpc::CallContext& ctx,
                                                 const v1::SettleRequest& request) override;
    awaitable<Result<v1::VoidHoldResponse>> void_hold(const rpc::CallContext& ctx,
                                                      const v1::VoidHoldRequest& request) override;
    awaitable<Result<v1::ListOpenHoldsResponse>> list_open_holds(
        const rpc::CallContext& ctx, const v1::ListOpenHoldsRequest& request) override;
    awaitable<Result<v1::GetBalanceResponse>> get_balance(
        const rpc::CallContext& ctx, const v1::GetBalanceRequest& request) override;
    awaitable<Result<v1::ListEntriesResponse>> list_entries(
        const rpc::CallContext& ctx, const v1::ListEntriesRequest& request) override;
    awaitable<Result<v1::GrantResponse>> grant(const rpc::CallContext& ctx,
                                               const v1::GrantRequest& request) override;
    awaitable<Result<v1::VerifyResponse>> verify(const rpc::CallContext& ctx,
                                                 const v1::VerifyRequest& request) override;
    awaitable<Result<common::v1::OutboxPage>> read_outbox(
        const rpc::CallContext& ctx, const common::v1::ReadOutboxRequest& request) override;

private:
    Deps deps_;
    providers::ModelCatalog catalog_;
    PriceList prices_;
};

}  // namespace quire::credits
