// Keys: made, shown, found again, refused, ended.
#include "tests/contract/auth_calls.hpp"
#include "tests/contract/auth_suite.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace quire::test {
namespace {

using namespace std::chrono_literals;
using auth::Auth;
using auth::v1::Key;
using enum ErrorCode;

// The right form and checksum, and nobody's.
constexpr const char* kNobodys = "qk_live_NobodyEverMadeThisKey0000000000000000000000_1UfMMm";
constexpr std::int64_t kSoonMicros = 500'000;

std::string scopes_of(const google::protobuf::RepeatedPtrField<std::string>& scopes) {
    return fmt::format("{}", fmt::join(scopes, " "));
}

awaitable<Result<void>> a_new_key_speaks_for_its_maker(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    KeyWish wish("ci größe", contract_scopes());
    QUIRE_CO_TRY(const auto made, create_key(port, owner, std::move(wish)));
    QUIRE_CO_TRY(const auto answer, authenticate(port, made.secret()));

    const common::v1::Principal& principal = answer.principal();
    found.expect(principal.org_id() == owner.principal.org_id, "another organization");
    found.expect(principal.project_id() == owner.principal.project_id, "another project");
    found.expect(principal.user_id() == owner.principal.user_id, "another user");
    found.expect(principal.key_id() == made.key().id(), "another key");
    found.expect(
        scopes_of(principal.scopes()) == fmt::format("{}", fmt::join(contract_scopes(), " ")),
        "other scopes: " + scopes_of(principal.scopes()));
    found.expect(answer.expires_at_us() == 0, "a key without an end has one");
    co_return Result<void>();
}

awaitable<Result<void>> a_new_key_is_described_once_with_its_text(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto made, create_key(port, owner, KeyWish("ci")));
    QUIRE_CO_TRY(const auto listed, list_keys(port, owner));

    const Key& key = made.key();
    found.expect(key.id().starts_with("key_") && key.id().size() == 30, "the id is " + key.id());
    found.expect(key.name() == "ci", "the name is " + key.name());
    found.expect(made.secret().starts_with("qk_live_") && made.secret().size() == 58,
                 "the key has another form");
    found.expect(key.last4() == made.secret().substr(54), "last4 is not the key's end");
    found.expect(key.created_at_us() > 1'700'000'000'000'000, "no time of creation");
    found.expect(key.expires_at_us() == 0 && key.revoked_at_us() == 0, "it has ended already");
    found.expect(key.project_id() == owner.principal.project_id, "another project");
    found.expect(
        listed.keys_size() == 1 && listed.keys(0).ShortDebugString() == key.ShortDebugString(),
        "the list shows it otherwise: " + listed.ShortDebugString());
    found.expect(listed.ShortDebugString().find(made.secret()) == std::string::npos,
                 "the list shows the key itself");
    co_return Result<void>();
}

awaitable<Result<void>> keys_differ(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto one, create_key(port, owner, KeyWish("same")));
    QUIRE_CO_TRY(const auto two, create_key(port, owner, KeyWish("same")));

    found.expect(one.secret() != two.secret(), "two keys have one text");
    found.expect(one.key().id() != two.key().id(), "two keys have one id");
    co_return Result<void>();
}

awaitable<Result<void>> keys_made_at_once_are_all_there(Auth& port, Findings& found) {
    using asio::experimental::awaitable_operators::operator&&;
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    const auto [a, b, c, d] =
        co_await (create_key(port, owner, KeyWish("a")) && create_key(port, owner, KeyWish("b")) &&
                  create_key(port, owner, KeyWish("c")) && create_key(port, owner, KeyWish("d")));
    for (const auto* made : {&a, &b, &c, &d}) {
        if (!*made) co_return made->error();
        const auto answer = co_await authenticate(port, (*made)->secret());
        if (!answer) co_return answer.error();
    }
    QUIRE_CO_TRY(const auto listed, list_keys(port, owner));

    found.expect(listed.keys_size() == 4, fmt::format("{} of 4 keys", listed.keys_size()));
    co_return Result<void>();
}

awaitable<Result<void>> scopes_default_to_inference(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto made, create_key(port, owner, KeyWish("ci")));

    found.expect(scopes_of(made.key().scopes()) == "inference",
                 "the scopes are " + scopes_of(made.key().scopes()));
    co_return Result<void>();
}

awaitable<Result<void>> each_scope_can_be_given_alone(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    for (const std::string& scope : contract_scopes()) {
        KeyWish wish("ci", std::vector<std::string>(1, scope));
        QUIRE_CO_TRY(const auto made, create_key(port, owner, std::move(wish)));
        QUIRE_CO_TRY(const auto answer, authenticate(port, made.secret()));

        found.expect(scopes_of(answer.principal().scopes()) == scope, scope + " became another");
    }
    co_return Result<void>();
}

awaitable<Result<void>> unknown_scopes_are_refused(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    for (const char* scope : {"everything", "", "Inference", "inference keys:write", "keys:*"}) {
        KeyWish wish("ci", std::vector<std::string>(1, scope));
        const auto made = co_await create_key(port, owner, std::move(wish));

        found.expect_refused(made, kInvalidValue, scope, "scopes");
    }
    co_return Result<void>();
}

awaitable<Result<void>> nobody_gives_a_scope_they_lack(Auth& port, Findings& found) {
    QUIRE_CO_TRY(rpc::CallContext maker, new_owner(port));
    maker.principal.scopes.assign(1, "keys:write");
    KeyWish wish("ci", std::vector<std::string>(1, "credits:write"));
    const auto made = co_await create_key(port, maker, std::move(wish));
    const auto by_default = co_await create_key(port, maker, KeyWish("ci"));
    KeyWish own("ci", std::vector<std::string>(1, "keys:write"));
    const auto given = co_await create_key(port, maker, std::move(own));
    if (!given) co_return given.error();

    found.expect_refused(made, kPermissionDenied, "credits:write", "scopes");
    found.expect_refused(by_default, kPermissionDenied, "inference by default", "scopes");
    co_return Result<void>();
}

awaitable<Result<void>> names_have_one_to_a_hundred_bytes(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    KeyWish longest(std::string(100, 'x'));
    const auto made = co_await create_key(port, owner, std::move(longest));
    if (!made) co_return made.error();
    const auto none = co_await create_key(port, owner, KeyWish(""));
    KeyWish longer(std::string(101, 'x'));
    const auto large = co_await create_key(port, owner, std::move(longer));

    found.expect_refused(none, kInvalidValue, "no name", "name");
    found.expect_refused(large, kInvalidValue, "101 bytes", "name");
    co_return Result<void>();
}

awaitable<Result<void>> keys_that_are_none_are_refused_alike(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto made, create_key(port, owner, KeyWish("ci")));
    std::string mistyped = made.secret();
    mistyped[20] = mistyped[20] == 'A' ? 'B' : 'A';
    std::string shorter = made.secret();
    shorter.pop_back();
    const std::vector<std::string> all{"",
                                       "x",
                                       kNobodys,
                                       mistyped,
                                       shorter,
                                       made.secret() + "A",
                                       " " + made.secret(),
                                       made.key().id()};
    std::string message;
    for (const std::string& key : all) {
        const auto answer = co_await authenticate(port, key);

        found.expect_refused(answer, kInvalidApiKey, "'" + key + "'");
        if (answer) continue;
        if (message.empty()) message = answer.error().message();
        found.expect(answer.error().message() == message, "'" + key + "' is told apart");
    }
    co_return Result<void>();
}

awaitable<Result<void>> a_key_ends_at_its_expiry(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto earlier, create_key(port, owner, KeyWish("what time is it there?")));
    const std::int64_t end = earlier.key().created_at_us() + kSoonMicros;
    KeyWish wish("short", {}, end);
    QUIRE_CO_TRY(const auto made, create_key(port, owner, std::move(wish)));
    found.expect(made.key().expires_at_us() == end, "it ends at another time");

    for (int i = 0; i < 500; ++i) {  // ten times as long as it may live
        const auto answer = co_await authenticate(port, made.secret());
        if (!answer) {
            found.expect_refused(answer, kApiKeyExpired, "its end");
            co_return Result<void>();
        }
        found.expect(answer->expires_at_us() == end, "auth tells another end");
        const auto slept = co_await runtime::sleep_for(10ms);
        if (!slept) co_return slept.error();
    }
    found.expect(false, "it lives longer than it may");
    co_return Result<void>();
}

awaitable<Result<void>> an_expiry_in_the_past_is_refused(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto earlier, create_key(port, owner, KeyWish("ci")));
    for (const std::int64_t end :
         {std::int64_t{1}, std::int64_t{-1}, earlier.key().created_at_us()}) {
        KeyWish wish("ci", {}, end);
        const auto made = co_await create_key(port, owner, std::move(wish));

        found.expect_refused(made, kInvalidValue, fmt::format("{}", end), "expires_at");
    }
    co_return Result<void>();
}

awaitable<Result<void>> a_revoked_key_is_refused_and_may_be_revoked_again(Auth& port,
                                                                          Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto made, create_key(port, owner, KeyWish("ci")));
    const auto once = co_await revoke_key(port, owner, made.key().id());
    if (!once) co_return once.error();
    const auto answer = co_await authenticate(port, made.secret());
    QUIRE_CO_TRY(const auto before, list_keys(port, owner));
    const auto twice = co_await revoke_key(port, owner, made.key().id());
    if (!twice) co_return twice.error();
    QUIRE_CO_TRY(const auto after, list_keys(port, owner));

    found.expect_refused(answer, kApiKeyRevoked, "a revoked key");
    found.expect(before.keys_size() == 1 && before.keys(0).revoked_at_us() != 0,
                 "the list does not say that it is revoked");
    found.expect(before.ShortDebugString() == after.ShortDebugString(),
                 "revoking it again changed it");
    co_return Result<void>();
}

awaitable<Result<void>> revoking_ends_no_other_key(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto kept, create_key(port, owner, KeyWish("same")));
    QUIRE_CO_TRY(const auto made, create_key(port, owner, KeyWish("same")));
    const auto ended = co_await revoke_key(port, owner, made.key().id());
    if (!ended) co_return ended.error();
    const auto answer = co_await authenticate(port, kept.secret());

    found.expect(answer.has_value(), "another key of the same name is gone");
    co_return Result<void>();
}

}  // namespace

std::vector<AuthCase> auth_key_cases() {
    return {
        {"ANewKeySpeaksForItsMaker", a_new_key_speaks_for_its_maker},
        {"ANewKeyIsDescribedOnceWithItsText", a_new_key_is_described_once_with_its_text},
        {"KeysDiffer", keys_differ},
        {"KeysMadeAtOnceAreAllThere", keys_made_at_once_are_all_there},
        {"ScopesDefaultToInference", scopes_default_to_inference},
        {"EachScopeCanBeGivenAlone", each_scope_can_be_given_alone},
        {"UnknownScopesAreRefused", unknown_scopes_are_refused},
        {"NobodyGivesAScopeTheyLack", nobody_gives_a_scope_they_lack},
        {"NamesHaveOneToAHundredBytes", names_have_one_to_a_hundred_bytes},
        {"KeysThatAreNoneAreRefusedAlike", keys_that_are_none_are_refused_alike},
        {"AKeyEndsAtItsExpiry", a_key_ends_at_its_expiry},
        {"AnExpiryInThePastIsRefused", an_expiry_in_the_past_is_refused},
        {"ARevokedKeyIsRefusedAndMayBeRevokedAgain",
         a_revoked_key_is_refused_and_may_be_revoked_again},
        {"RevokingEndsNoOtherKey", revoking_ends_no_other_key},
    };
}

}  // namespace quire::test
