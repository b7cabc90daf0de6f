#include "services/auth/auth_service.hpp"

#include "base/id.hpp"
#include "base/text.hpp"
#include "services/auth/api_key.hpp"
#include "services/auth/auth_events.hpp"
#include "storage/idempotency.hpp"
#include "storage/outbox_page.hpp"
#include "storage/page.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::auth {
namespace {

using storage::Connection;

/// The last moment of the year 9999: RFC 3339 has four digits for a year.
constexpr Timestamp kExpiryMax{253'402'300'799'999'999};

v1::Key to_message(const KeyRow& row) {
    v1::Key key;
    key.set_id(row.id);
    key.set_name(row.name);
    key.mutable_scopes()->Add(row.scopes.begin(), row.scopes.end());
    key.set_last4(row.last4);
    key.set_created_at_us(row.created_at.micros);
    key.set_expires_at_us(row.expires_at.micros);
    key.set_revoked_at_us(row.revoked_at.micros);
    key.set_project_id(row.project_id);
    return key;
}

v1::Organization to_message(const OrganizationRow& row) {
    v1::Organization organization;
    organization.set_id(row.id);
    organization.set_name(row.name);
    organization.set_created_at_us(row.created_at.micros);
    organization.set_project_id(row.project_id);
    organization.set_user_id(row.user_id);
    return organization;
}

Error bad_expiry(std::string message) {
    return Error(ErrorCode::kInvalidValue, std::move(message)).with_param("expires_at");
}

/// All that can be said about the fields alone.
Result<void> check_fields(const v1::CreateKeyRequest& request, Timestamp now) {
    const auto named = check_name(request.name());
    if (!named) return named;
    for (const std::string& scope : request.scopes()) {
        const auto known = check_scope(scope);
        if (!known) return known;
    }
    const Timestamp expires_at{request.expires_at_us()};
    if (expires_at.micros != 0 && expires_at <= now) {
        return bad_expiry("expires_at lies in the past");
    }
    if (expires_at > kExpiryMax) {
        return bad_expiry("expires_at must be before the year 10000; leave it out for never");
    }
    return {};
}

/// Each once. A key can only hand on what its maker has.
template <class Names>
Result<std::vector<std::string>> scopes_to_give(const rpc::Principal& maker, const Names& wanted) {
    std::vector<std::string> scopes;
    for (const std::string& scope : wanted) {
        if (std::find(scopes.begin(), scopes.end(), scope) != scopes.end()) continue;
        if (!maker.has_scope(scope)) {
            return Error(ErrorCode::kPermissionDenied,
                         fmt::format("a key without the scope '{}' cannot give it", scope))
                .with_param("scopes");
        }
        scopes.push_back(scope);
    }
    return scopes;
}

/// The text of a key is shown once and kept nowhere, so that there is no answer to give again.
Error made_before(const std::string& key_id) {
    return Error(ErrorCode::kAlreadyCompleted,
                 fmt::format("the first request with this Idempotency-Key made the key {}, and its "
                             "text was in that answer only; revoke it, and take a new "
                             "Idempotency-Key",
                             key_id))
        .with_detail("key_id", key_id);
}

Error invalid_key() {
    return {ErrorCode::kInvalidApiKey,
            "the API key is not valid; send 'Authorization: Bearer qk_live_…'"};
}

Result<v1::AuthenticateResponse> principal_of(const KeyRow& key, Timestamp now) {
    if (key.revoked_at.micros != 0) {
        return Error(ErrorCode::kApiKeyRevoked, fmt::format("the API key {} was revoked", key.id));
    }
    if (key.expires_at.micros != 0 && key.expires_at <= now) {
        return Error(ErrorCode::kApiKeyExpired, fmt::format("the API key {} expired at {}", key.id,
                                                            to_rfc3339(key.expires_at)));
    }
    v1::AuthenticateResponse response;
    auto& principal = *response.mutable_principal();
    principal.set_org_id(key.org_id);
    principal.set_project_id(key.project_id);
    principal.set_user_id(key.user_id);
    principal.set_key_id(key.id);
    principal.mutable_scopes()->Add(key.scopes.begin(), key.scopes.end());
    response.set_expires_at_us(key.expires_at.micros);
    return response;
}

}  // namespace

awaitable<Result<v1::AuthenticateResponse>> AuthService::authenticate(
    const rpc::CallContext& /*ctx*/, const v1::AuthenticateRequest& request) {
    if (!is_well_formed_key(request.key())) co_return invalid_key();
    const std::string hash = hash_of_key(request.key());
    auto find = [&hash](Connection& connection) {
        return AuthStore(connection).find_key_by_hash(hash);
    };
    QUIRE_CO_TRY(const std::optional<KeyRow> key, database_.read(std::move(find)));
    if (!key) co_return invalid_key();
    co_return principal_of(*key, clock_.now());
}

awaitable<Result<v1::CreateKeyResponse>> AuthService::create_key(
    const rpc::CallContext& ctx, const v1::CreateKeyRequest& request) {
    const auto checked = check_fields(request, clock_.now());
    if (!checked) co_return checked.error();
    OrganizationRow owner;
    owner.id = ctx.principal.org_id;
    owner.project_id = ctx.principal.project_id;
    owner.user_id = ctx.principal.user_id;
    const std::string secret = make_api_key(rng_);
    KeyRow key = new_key(owner, request.name(), secret);
    auto scopes = request.scopes().empty() ? scopes_to_give(ctx.principal, key.scopes)
                                           : scopes_to_give(ctx.principal, request.scopes());
    if (!scopes) co_return scopes.error();
    key.scopes = *std::move(scopes);
    key.expires_at = Timestamp{request.expires_at_us()};
    const storage::IdempotentCall once{owner.id, owner.project_id, ctx.idempotency_key,
                                       request.request_hash()};
    const Timestamp now = retention_clock_.now();
    auto insert = [&](Connection& connection) -> Result<void> {
        QUIRE_TRY(const auto first, find_first_answer(connection, once, now));
        if (first) return made_before(*first);
        const auto inserted = AuthStore(connection).insert_key(key);
        if (!inserted) return inserted.error();
        const auto kept = keep_first_answer(connection, once, key.id, now);
        if (!kept) return kept.error();
        return publish_key_created(connection, ctx, key, rng_);
    };
    const auto written = co_await database_.write(std::move(insert));
    if (!written) co_return written.error();
    v1::CreateKeyResponse response;
    *response.mutable_key() = to_message(key);
    response.set_secret(secret);
    co_return response;
}

awaitable<Result<v1::ListKeysResponse>> AuthService::list_keys(const rpc::CallContext& ctx,
                                                               const v1::ListKeysRequest& request) {
    const auto limit = storage::page_limit(request.page());
    if (!limit) co_return limit.error();
    const auto checked = storage::check_cursor(request.page(), "key", "a key");
    if (!checked) co_return checked.error();
    auto list = [&](Connection& connection) {
        return AuthStore(connection)
            .list_keys(ctx.principal.org_id, ctx.principal.project_id, request.page().after(),
                       *limit + 1);
    };
    QUIRE_CO_TRY(std::vector<KeyRow> rows, database_.read(std::move(list)));
    v1::ListKeysResponse response;
    response.set_has_more(storage::cut_page(rows, *limit));
    for (const KeyRow& row : rows) *response.add_keys() = to_message(row);
    co_return response;
}

awaitable<Result<v1::RevokeKeyResponse>> AuthService::revoke_key(
    const rpc::CallContext& ctx, const v1::RevokeKeyRequest& request) {
    const Timestamp now = clock_.now();
    auto revoke = [&](Connection& connection) -> Result<void> {
        AuthStore store(connection);
        QUIRE_TRY(const auto key, store.find_key(ctx.principal.org_id, request.id()));
        if (!key || key->project_id != ctx.principal.project_id) {
            return Error(ErrorCode::kNotFound,
                         fmt::format("there is no key '{}'", excerpt(request.id())));
        }
        if (key->revoked_at.micros != 0) return {};
        const auto revoked = store.revoke_key(ctx.principal.org_id, key->id, now);
        if (!revoked) return revoked.error();
        return publish_key_revoked(connection, ctx, *key, now, rng_);
    };
    const auto written = co_await database_.write(std::move(revoke));
    if (!written) co_return written.error();
    co_return v1::RevokeKeyResponse();
}

awaitable<Result<v1::CreateOrganizationResponse>> AuthService::create_organization(
    const rpc::CallContext& /*ctx*/, const v1::CreateOrganizationRequest& request) {
    const auto named = check_name(request.name());
    if (!named) co_return named.error();
    const OrganizationRow row = new_organization(request.name());
    auto insert = [&row](Connection& connection) {
        return AuthStore(connection).insert_organization(row);
    };
    const auto written = co_await database_.write(std::move(insert));
    if (!written) co_return written.error();
    v1::CreateOrganizationResponse response;
    *response.mutable_organization() = to_message(row);
    co_return response;
}

awaitable<Result<v1::ListOrganizationsResponse>> AuthService::list_organizations(
    const rpc::CallContext& /*ctx*/, const v1::ListOrganizationsRequest& request) {
    const auto limit = storage::page_limit(request.page());
    if (!limit) co_return limit.error();
    const auto checked = storage::check_cursor(request.page(), "org", "an organization");
    if (!checked) co_return checked.error();
    auto list = [&](Connection& connection) {
        return AuthStore(connection).list_organizations(request.page().after(), *limit + 1);
    };
    QUIRE_CO_TRY(std::vector<OrganizationRow> rows, database_.read(std::move(list)));
    v1::ListOrganizationsResponse response;
    response.set_has_more(storage::cut_page(rows, *limit));
    for (const OrganizationRow& row : rows) *response.add_organizations() = to_message(row);
    co_return response;
}

awaitable<Result<common::v1::OutboxPage>> AuthService::read_outbox(
    const rpc::CallContext& /*ctx*/, const common::v1::ReadOutboxRequest& request) {
    auto page = co_await storage::read_outbox_page(database_, request, event_types());
    co_return page;
}

Result<std::optional<std::string>> AuthService::prepare_first_run() {
    const std::string secret = make_api_key(rng_);
    rpc::CallContext ctx;
    auto prepare = [&](Connection& connection) -> Result<bool> {
        AuthStore store(connection);
        QUIRE_TRY(const auto earlier, store.find_first_run());
        QUIRE_TRY(const auto existing, store.list_organizations("", 1));
        if ((earlier && earlier->is_complete) || (!earlier && !existing.empty())) return false;
        OrganizationRow owner;
        if (earlier) {
            // That run was cut at about its ready line. Its key may have been seen, so it stays
            // valid; if nobody saw it, nobody has it.
            QUIRE_TRY(const auto made, store.find_organization(earlier->org_id));
            owner = made.value();
        } else {
            owner = new_organization("default");
            const auto made = store.insert_organization(owner);
            if (!made) return made.error();
        }
        KeyRow key = new_key(owner, "first key", secret);
        key.scopes.assign(all_scopes().begin(), all_scopes().end());
        const auto inserted = store.insert_key(key);
        if (!inserted) return inserted.error();
        const auto told = publish_key_created(connection, ctx, key, rng_);
        if (!told) return told.error();
        const auto noted = store.put_first_run({owner.id, key.id, false});
        if (!noted) return noted.error();
        return true;
    };
    QUIRE_TRY(const bool is_first, database_.write_blocking(prepare));
    if (!is_first) return std::optional<std::string>();
    return std::optional(secret);
}

awaitable<Result<void>> AuthService::complete_first_run() {
    auto complete = [this](Connection& connection) {
        return AuthStore(connection).complete_first_run(clock_.now());
    };
    auto completed = co_await database_.write(std::move(complete));
    co_return completed;
}

OrganizationRow AuthService::new_organization(const std::string& name) {
    OrganizationRow row;
    row.created_at = clock_.now();
    row.id = make_id("org", row.created_at, rng_);
    row.name = name;
    row.project_id = make_id("prj", row.created_at, rng_);
    row.user_id = make_id("usr", row.created_at, rng_);
    return row;
}

KeyRow AuthService::new_key(const OrganizationRow& owner, std::string name,
                            std::string_view secret) {
    KeyRow key;
    key.org_id = owner.id;
    key.project_id = owner.project_id;
    key.user_id = owner.user_id;
    key.created_at = clock_.now();
    key.id = make_id("key", key.created_at, rng_);
    key.name = std::move(name);
    key.hash = hash_of_key(secret);
    key.last4 = last4_of_key(secret);
    key.scopes = {"inference"};
    return key;
}

}  // namespace quire::auth
