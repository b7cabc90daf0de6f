#pragma once

#include "runtime/config/node.hpp"
#include "tests/support/all_services.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace quire::test {

using Names = std::map<std::string, std::string>;

/// `methods` of tests/authorization/matrix.yaml, where the callers are explained.
const config::Node& matrix_methods();
/// What a row has in a column; `(no such column)` when it has none.
std::string matrix_cell(const std::string& method, const std::string& caller);

/// What a caller heard, in the words of the matrix.
struct Heard {
    std::string word;  ///< `ok` or the error's code
    std::string text;  ///< the answer as JSON, or the error's message
};

/// "" when the cell wants what was heard, else why not. `foreign` must not be told to another
/// organization; `operators` is what the operator hears, "" when that says nothing.
std::string judge(const std::string& cell, const Heard& heard, const std::set<std::string>& foreign,
                  const std::string& operators);

/// Two organizations over all services, the callers of the matrix, and what the first one has,
/// named as in the matrix.
class Organizations {
public:
    explicit Organizations(const AllServices::Change& change = {});

    const rpc::Method& method(std::string_view name) { return *services_.methods().find(name); }
    const rpc::MethodRegistry& methods() { return services_.methods(); }
    /// Asks the row's call over the wire; what it names in braces stands for `about`.
    Heard ask_as(const std::string& caller, const rpc::Method& method, const Names& about);
    /// So that a key which is made for the first time changes no state later.
    void make_keys(const rpc::Method& method);
    /// Everything that the first organization can see of itself, but for its requests: these are
    /// still being told.
    json::value state();
    /// What nobody else may be told: of ids the ULID is enough.
    std::set<std::string> foreign();

    Names names;

private:
    Heard call(Wired& wire, const rpc::CallContext& ctx, const rpc::Method& method,
               const std::string& body);
    std::string by_operator(const rpc::Principal& org, std::string_view name,
                            const std::string& body, const std::string& request_id = "");
    /// The operator who acts for a new organization, which has credits.
    rpc::Principal new_organization(std::string_view name);
    std::string new_key(const rpc::Principal& org, const std::vector<std::string>& scopes,
                        std::int64_t expires_at_us = 0);
    std::string new_request_id();
    /// The caller's key; "" when it has none.
    std::string key_of(const std::string& caller, const rpc::Method& method);
    /// What auth says of a key, asked over the wire as the gateway would ask it.
    Result<rpc::Principal> authenticate(const std::string& key);
    /// A request of the first organization that is in the log.
    std::string generate_for_first();
    /// A request of the first organization with an open hold.
    std::string admit_for_first();

    AllServices services_;
    rpc::Principal first_;
    std::string revoked_;
    std::string expired_;
    std::string other_key_;
    Names ids_;   ///< key to its id
    Names made_;  ///< scopes to a key of the first organization
};

}  // namespace quire::test
