// Pages, organizations, and the walls between them.
#include "tests/contract/auth_calls.hpp"
#include "tests/contract/auth_suite.hpp"

#include <fmt/format.h>

#include <set>

namespace quire::test {
namespace {

using auth::Auth;
using auth::v1::ListKeysResponse;
using enum ErrorCode;

/// Makes `count` keys; gives their ids, the oldest first.
awaitable<Result<std::vector<std::string>>> make_keys(Auth& port, const rpc::CallContext& owner,
                                                      int count) {
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) {
        KeyWish wish(fmt::format("key {}", i));
        QUIRE_CO_TRY(const auto made, create_key(port, owner, std::move(wish)));
        ids.push_back(made.key().id());
    }
    co_return ids;
}

std::vector<std::string> ids_of(const ListKeysResponse& page) {
    std::vector<std::string> ids;
    for (const auto& key : page.keys()) ids.push_back(key.id());
    return ids;
}

awaitable<Result<void>> a_new_organization_has_no_keys(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto listed, list_keys(port, owner));

    found.expect(listed.keys_size() == 0, "it has keys");
    found.expect(!listed.has_more(), "it has more of none");
    co_return Result<void>();
}

awaitable<Result<void>> keys_are_listed_newest_first(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    const auto made = co_await make_keys(port, owner, 5);
    if (!made) co_return made.error();
    QUIRE_CO_TRY(const auto listed, list_keys(port, owner));

    found.expect(listed.keys_size() == 5, "not all are there");
    for (int i = 1; i < listed.keys_size(); ++i) {
        // Ids sort by milliseconds.
        const bool is_older =
            listed.keys(i).created_at_us() / 1000 <= listed.keys(i - 1).created_at_us() / 1000;
        found.expect(is_older, fmt::format("key {} is newer than the one before", i));
    }
    co_return Result<void>();
}

awaitable<Result<void>> pages_show_everything_once(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto made, make_keys(port, owner, 7));
    for (const std::int32_t limit : {1, 3, 6, 7, 8, 1000}) {
        std::set<std::string> seen;
        std::string after;
        bool has_more = true;
        for (int pages = 0; has_more && pages < 8; ++pages) {
            QUIRE_CO_TRY(const auto page, list_keys(port, owner, after, limit));
            const auto left = static_cast<std::int32_t>(made.size() - seen.size());
            found.expect(page.keys_size() == std::min(limit, left),
                         fmt::format("a page of {} holds {}", limit, page.keys_size()));
            for (const std::string& id : ids_of(page)) {
                found.expect(seen.insert(id).second, id + " comes twice");
                after = id;
            }
            has_more = page.has_more();
            found.expect(has_more == (seen.size() < made.size()),
                         fmt::format("has_more is {} after {} of 7", has_more, seen.size()));
        }
        found.expect(seen == std::set(made.begin(), made.end()),
                     fmt::format("pages of {} show others", limit));
    }
    co_return Result<void>();
}

awaitable<Result<void>> a_page_has_fifty_unless_said(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    const auto made = co_await make_keys(port, owner, 51);
    if (!made) co_return made.error();
    QUIRE_CO_TRY(const auto listed, list_keys(port, owner));

    found.expect(listed.keys_size() == 50 && listed.has_more(),
                 fmt::format("{} keys", listed.keys_size()));
    co_return Result<void>();
}

awaitable<Result<void>> limits_are_one_to_a_thousand(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    for (const std::int32_t limit : {-1, 1001, -2'000'000'000}) {
        const auto keys = co_await list_keys(port, owner, std::string(), limit);
        const auto organizations = co_await list_organizations(port, std::string(), limit);

        found.expect_refused(keys, kInvalidValue, fmt::format("keys, {}", limit), "limit");
        found.expect_refused(organizations, kInvalidValue, fmt::format("orgs, {}", limit), "limit");
    }
    co_return Result<void>();
}

awaitable<Result<void>> foreign_keys_are_not_listed(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto mine, new_owner(port));
    QUIRE_CO_TRY(const auto theirs, new_owner(port));
    QUIRE_CO_TRY(const auto my_keys, make_keys(port, mine, 2));
    QUIRE_CO_TRY(const auto their_keys, make_keys(port, theirs, 2));
    QUIRE_CO_TRY(const auto listed, list_keys(port, mine));
    QUIRE_CO_TRY(const auto from_theirs, list_keys(port, mine, their_keys.back()));

    const std::set<std::string> own(my_keys.begin(), my_keys.end());
    for (const auto& page : {listed, from_theirs}) {
        for (const std::string& id : ids_of(page)) {
            found.expect(own.contains(id), id + " is somebody else's");
        }
    }
    found.expect(listed.keys_size() == 2, "one's own are missing");
    co_return Result<void>();
}

awaitable<Result<void>> another_projects_keys_are_foreign_too(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto owner, new_owner(port));
    QUIRE_CO_TRY(const auto made, make_keys(port, owner, 1));
    rpc::CallContext elsewhere = owner;
    elsewhere.principal.project_id = "prj_01M84YTZVCKESBNN60DEPB1WMQ";
    QUIRE_CO_TRY(const auto listed, list_keys(port, elsewhere));
    const auto revoked = co_await revoke_key(port, elsewhere, made.front());

    found.expect(listed.keys_size() == 0, "another project's keys are listed");
    found.expect_refused(revoked, kNotFound, "another project's key");
    co_return Result<void>();
}

awaitable<Result<void>> foreign_and_unknown_keys_are_not_found_alike(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto mine, new_owner(port));
    QUIRE_CO_TRY(const auto theirs, new_owner(port));
    QUIRE_CO_TRY(const auto key, create_key(port, theirs, KeyWish("theirs")));
    const std::string unknown = "key_01M84YTZVCKESBNN60DEPB1WMQ";
    const auto foreign_one = co_await revoke_key(port, mine, key.key().id());
    const auto unknown_one = co_await revoke_key(port, mine, unknown);
    const auto none = co_await revoke_key(port, mine, std::string());
    const auto still = co_await authenticate(port, key.secret());

    found.expect_refused(foreign_one, kNotFound, "a foreign key");
    found.expect_refused(unknown_one, kNotFound, "an unknown key");
    found.expect_refused(none, kNotFound, "no id");
    found.expect(still.has_value(), "the foreign key was revoked");
    if (foreign_one || unknown_one) co_return Result<void>();
    std::string told = foreign_one.error().message();
    const auto at = told.find(key.key().id());
    if (at != std::string::npos) told.replace(at, key.key().id().size(), unknown);
    found.expect(told == unknown_one.error().message(), "they are told apart: " + told);
    co_return Result<void>();
}

awaitable<Result<void>> organizations_come_with_a_project_and_a_user(Auth& port, Findings& found) {
    QUIRE_CO_TRY(const auto one, new_owner(port));
    QUIRE_CO_TRY(const auto two, new_owner(port));

    found.expect(one.principal.org_id.starts_with("org_"), "the id is " + one.principal.org_id);
    found.expect(one.principal.project_id.starts_with("prj_"), "no project");
    found.expect(one.principal.user_id.starts_with("usr_"), "no user");
    found.expect(one.principal.org_id != two.principal.org_id, "two have one id");
    found.expect(one.principal.project_id != two.principal.project_id, "two share a project");
    co_return Result<void>();
}

awaitable<Result<void>> every_organization_is_listed_once(Auth& port, Findings& found) {
    std::set<std::string> made;
    for (int i = 0; i < 3; ++i) {
        QUIRE_CO_TRY(const auto owner, new_owner(port));
        made.insert(owner.principal.org_id);
    }
    std::set<std::string> seen;
    std::string after;
    bool has_more = true;
    while (has_more) {
        QUIRE_CO_TRY(const auto page, list_organizations(port, after, 2));
        for (const auto& organization : page.organizations()) {
            const bool is_new = seen.insert(organization.id()).second;
            found.expect(is_new, organization.id() + " comes twice");
            if (!is_new) co_return Result<void>();
            made.erase(organization.id());
            after = organization.id();
        }
        has_more = page.has_more();
    }
    found.expect(made.empty(), "one of them is not listed");
    co_return Result<void>();
}

awaitable<Result<void>> organizations_need_a_name(Auth& port, Findings& found) {
    rpc::CallContext by_operator;
    by_operator.principal.is_operator = true;
    for (const std::size_t size : {std::size_t{0}, std::size_t{101}}) {
        auth::v1::CreateOrganizationRequest request;
        request.set_name(std::string(size, 'x'));
        const auto made = co_await port.create_organization(by_operator, request);

        found.expect_refused(made, kInvalidValue, fmt::format("{} bytes", size), "name");
    }
    co_return Result<void>();
}

}  // namespace

std::vector<AuthCase> auth_tenancy_cases() {
    return {
        {"ANewOrganizationHasNoKeys", a_new_organization_has_no_keys},
        {"KeysAreListedNewestFirst", keys_are_listed_newest_first},
        {"PagesShowEverythingOnce", pages_show_everything_once},
        {"APageHasFiftyUnlessSaid", a_page_has_fifty_unless_said},
        {"LimitsAreOneToAThousand", limits_are_one_to_a_thousand},
        {"ForeignKeysAreNotListed", foreign_keys_are_not_listed},
        {"AnotherProjectsKeysAreForeignToo", another_projects_keys_are_foreign_too},
        {"ForeignAndUnknownKeysAreNotFoundAlike", foreign_and_unknown_keys_are_not_found_alike},
        {"OrganizationsComeWithAProjectAndAUser", organizations_come_with_a_project_and_a_user},
        {"EveryOrganizationIsListedOnce", every_organization_is_listed_once},
        {"OrganizationsNeedAName", organizations_need_a_name},
    };
}

}  // namespace quire::test
