#include "base/words.hpp"
#include "services/gateway/body_fields.hpp"
#include "services/gateway/gateway_api.hpp"
#include "services/gateway/idempotency.hpp"
#include "services/gateway/paging.hpp"

namespace quire::gateway {
namespace {

Result<void> read_scopes(const json::object& body, auth::v1::CreateKeyRequest& to) {
    const json::value* scopes = runtime::find_member(body, "scopes");
    if (scopes == nullptr) return {};
    if (!scopes->is_array()) return wrong_field("scopes", "a list of strings");
    if (scopes->get_array().empty()) {
        return wrong_field("scopes", "a list of at least one; leave it out for 'inference'");
    }
    for (const json::value& value : scopes->get_array()) {
        if (!value.is_string()) return wrong_field("scopes", "a list of strings");
        const auto known = check_scope(value.get_string());
        if (!known) return known;
        to.add_scopes(std::string(value.get_string()));
    }
    return {};
}

Result<void> read_expiry(const json::object& body, Timestamp now, auth::v1::CreateKeyRequest& to) {
    const json::value* expires = runtime::find_member(body, "expires_at");
    if (expires == nullptr) return {};
    const auto at = parse_rfc3339(runtime::text_member(body, "expires_at"));
    if (!expires->is_string() || !at) {
        return wrong_field("expires_at", "a time such as 2027-01-31T00:00:00Z");
    }
    if (*at <= now) {
        return Error(ErrorCode::kInvalidValue, "expires_at lies in the past")
            .with_param("expires_at");
    }
    to.set_expires_at_us(at->micros);
    return {};
}

Result<auth::v1::CreateKeyRequest> read_key_request(const json::object& body, Timestamp now) {
    const auto known = check_fields(body, {"name", "scopes", "expires_at"});
    if (!known) return known.error();
    auth::v1::CreateKeyRequest request;
    QUIRE_TRY(*request.mutable_name(), require_text(body, "name"));
    auto read = check_name(request.name());
    if (read) read = read_scopes(body, request);
    if (read) read = read_expiry(body, now, request);
    if (!read) return read.error();
    return request;
}

json::value time_or_null(std::int64_t micros) {
    if (micros == 0) return nullptr;
    return json::value(to_rfc3339(Timestamp{micros}));
}

json::object key_json(const auth::v1::Key& key) {
    json::object out;
    out["id"] = key.id();
    out["name"] = key.name();
    json::array scopes;
    for (const std::string& scope : key.scopes()) scopes.emplace_back(scope);
    out["scopes"] = std::move(scopes);
    out["last4"] = key.last4();
    out["created_at"] = time_or_null(key.created_at_us());
    out["expires_at"] = time_or_null(key.expires_at_us());
    return out;
}

}  // namespace

awaitable<Result<void>> GatewayApi::create_key(GatewayCall& call) {
    auto request = read_key_request(*call.body, clock_.now());
    if (!request) co_return request.error();
    const auto checked = check_idempotency_key(call);
    if (!checked) co_return checked.error();
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    request->set_request_hash(idempotency_hash(call));
    QUIRE_CO_TRY(const auto created, ports_.auth->create_key(call.ctx, *request));
    json::object body = key_json(created.key());
    body["key"] = created.secret();
    std::string text = json::serialize(body);
    co_return co_await call.respond_json(201, std::move(text));
}

awaitable<Result<void>> GatewayApi::list_keys(GatewayCall& call) {
    auth::v1::ListKeysRequest request;
    auto page = read_page(call.exchange.head(), {"key", "a key"});
    if (!page) co_return page.error();
    *request.mutable_page() = *std::move(page);
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    QUIRE_CO_TRY(const auto listed, ports_.auth->list_keys(call.ctx, request));
    json::array data;
    for (const auto& key : listed.keys()) {
        json::object item = key_json(key);
        item["revoked_at"] = time_or_null(key.revoked_at_us());
        data.push_back(std::move(item));
    }
    json::object body;
    body["data"] = std::move(data);
    body["has_more"] = listed.has_more();
    std::string text = json::serialize(body);
    co_return co_await call.respond_json(200, std::move(text));
}

awaitable<Result<void>> GatewayApi::revoke_key(GatewayCall& call) {
    const auto authorized = call.authorize();
    if (!authorized) co_return authorized.error();
    auth::v1::RevokeKeyRequest request;
    request.set_id(call.path_parameter(0));
    const auto revoked = co_await ports_.auth->revoke_key(call.ctx, request);
    if (!revoked) co_return revoked.error();
    principals_.forget(request.id());
    co_return co_await call.respond_json(204, "");
}

}  // namespace quire::gateway
