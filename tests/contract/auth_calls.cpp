#include "tests/contract/auth_calls.hpp"

namespace quire::test {

using namespace auth::v1;

const std::vector<std::string>& contract_scopes() {
    static const std::vector<std::string> scopes{"inference",    "prompts:read",  "prompts:write",
                                                 "credits:read", "credits:write", "requests:read",
                                                 "keys:write"};
    return scopes;
}

awaitable<Result<rpc::CallContext>> new_owner(auth::Auth& port) {
    rpc::CallContext ctx;
    ctx.trace.trace_id.fill(7);
    ctx.trace.span_id.fill(9);
    rpc::CallContext by_operator = ctx;
    by_operator.principal.is_operator = true;
    CreateOrganizationRequest request;
    request.set_name("contract");
    QUIRE_CO_TRY(const auto made, port.create_organization(by_operator, request));
    ctx.principal.org_id = made.organization().id();
    ctx.principal.project_id = made.organization().project_id();
    ctx.principal.user_id = made.organization().user_id();
    ctx.principal.scopes = contract_scopes();
    co_return ctx;
}

awaitable<Result<CreateKeyResponse>> create_key(auth::Auth& port, const rpc::CallContext& ctx,
                                                KeyWish wish) {
    CreateKeyRequest request;
    request.set_name(wish.name);
    for (const std::string& scope : wish.scopes) request.add_scopes(scope);
    request.set_expires_at_us(wish.expires_at_us);
    co_return co_await port.create_key(ctx, request);
}

awaitable<Result<AuthenticateResponse>> authenticate(auth::Auth& port, std::string key) {
    const rpc::CallContext nobody;
    AuthenticateRequest request;
    request.set_key(std::move(key));
    co_return co_await port.authenticate(nobody, request);
}

awaitable<Result<RevokeKeyResponse>> revoke_key(auth::Auth& port, const rpc::CallContext& ctx,
                                                std::string id) {
    RevokeKeyRequest request;
    request.set_id(std::move(id));
    co_return co_await port.revoke_key(ctx, request);
}

awaitable<Result<ListKeysResponse>> list_keys(auth::Auth& port, const rpc::CallContext& ctx,
                                              std::string after, std::int32_t limit) {
    ListKeysRequest request;
    request.mutable_page()->set_after(std::move(after));
    request.mutable_page()->set_limit(limit);
    co_return co_await port.list_keys(ctx, request);
}

awaitable<Result<ListOrganizationsResponse>> list_organizations(auth::Auth& port, std::string after,
                                                                std::int32_t limit) {
    rpc::CallContext by_operator;
    by_operator.principal.is_operator = true;
    ListOrganizationsRequest request;
    request.mutable_page()->set_after(std::move(after));
    request.mutable_page()->set_limit(limit);
    co_return co_await port.list_organizations(by_operator, request);
}

awaitable<Result<std::vector<common::v1::OutboxEvent>>> read_events(auth::Auth& port,
                                                                    std::int64_t sequence,
                                                                    std::int32_t limit) {
    const rpc::CallContext service;
    std::vector<common::v1::OutboxEvent> events;
    common::v1::ReadOutboxRequest request;
    while (true) {
        const std::int64_t after = events.empty() ? sequence : events.back().sequence();
        request.set_after_sequence(after);
        request.set_limit(limit == 0 ? 1000 : limit);
        QUIRE_CO_TRY(const auto page, port.read_outbox(service, request));
        events.insert(events.end(), page.events().begin(), page.events().end());
        if (limit != 0 || page.events().empty()) co_return events;
        if (events.back().sequence() <= after) {
            co_return Error(ErrorCode::kInternalError, "the outbox gives what was read before");
        }
    }
}

awaitable<Result<std::int64_t>> last_sequence(auth::Auth& port) {
    QUIRE_CO_TRY(const auto events, read_events(port, 0));
    co_return events.empty() ? 0 : events.back().sequence();
}

}  // namespace quire::test
