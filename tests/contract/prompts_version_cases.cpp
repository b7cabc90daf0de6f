// Versions and labels: published, found again, pointed at, listed.
#include "tests/contract/prompts_calls.hpp"
#include "tests/contract/prompts_suite.hpp"

#include <fmt/format.h>

namespace quire::test {
namespace {

using prompts::Prompts;
using prompts::v1::PromptVersion;
using enum ErrorCode;

awaitable<Result<void>> versions_count_up_and_labels_move(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    QUIRE_CO_TRY(const auto first, publish(port, ctx, "post", "one", "production"));
    const auto request = new_version("post", "two {{ b }} {{ a }}", {"production", "beta"});
    QUIRE_CO_TRY(const auto answer, port.publish_version(ctx, request));
    const PromptVersion& second = answer.version();
    found.expect(first.version() == 1 && second.version() == 2, "other numbers");
    found.expect(second.created_at_us() > 1'700'000'000'000'000, "no time");
    QUIRE_CO_TRY(const auto newest, get_version(port, ctx, "post"));
    found.expect_same(newest.ShortDebugString(), second.ShortDebugString(), "the newest");
    found.expect(newest.labels_size() == 2 && newest.labels(0) == "beta", "labels are not sorted");
    found.expect(newest.variables_size() == 2 && newest.variables(0) == "a", "other variables");
    QUIRE_CO_TRY(const auto older, get_version(port, ctx, "post", "", 1));
    found.expect(older.labels().empty(), "the label stays where it was");
    found.expect_same(older.messages(0).content(), "one", "the first version");
    co_return Result<void>();
}

awaitable<Result<void>> a_label_goes_back(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    for (const char* text : {"one", "two"}) {
        QUIRE_CO_TRY(const auto published, publish(port, ctx, "post", text, "production"));
        found.expect(published.labels_size() == 1, "published without its label");
    }
    QUIRE_CO_TRY(const auto pointed, point(port, ctx, "post", "production", 1));
    found.expect(pointed.version() == 1 && pointed.labels_size() == 1, "it points elsewhere");
    QUIRE_CO_TRY(const auto labelled, get_version(port, ctx, "post", "production"));
    found.expect(labelled.version() == 1, "it is found elsewhere");
    QUIRE_CO_TRY(const auto newest, get_version(port, ctx, "post"));
    found.expect(newest.version() == 2, "the newest is another");
    co_return Result<void>();
}

awaitable<Result<void>> a_version_keeps_all_it_was_given(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    auto request = new_version("post", "About {{ topic }}.");
    auto& system = *request.add_messages();
    system.set_role("system");
    system.set_content("Be \"brief\".\n\xF0\x9F\x90\x9D");
    request.set_model("second");
    request.set_parameters_json(R"({"seed":5,"stop":["END"]})");
    QUIRE_CO_TRY(const auto published, port.publish_version(ctx, request));
    QUIRE_CO_TRY(const auto read, get_version(port, ctx, "post"));
    found.expect_same(read.ShortDebugString(), published.version().ShortDebugString(), "read");
    found.expect(read.messages_size() == 2, "other messages");
    found.expect_same(read.messages(1).content(), system.content(), "a message");
    found.expect_same(read.model() + " " + read.parameters_json(),
                      R"(second {"seed":5,"stop":["END"]})", "the rest");
    co_return Result<void>();
}

awaitable<Result<void>> bad_versions_are_refused_whole(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    const auto no_name = new_version("", "x");
    const auto loud_name = new_version("Post", "x");
    const auto open = new_version("post", "{{ open");
    const auto loud_label = new_version("post", "x", {"good", "Loud"});
    auto no_message = new_version("post", "x");
    no_message.clear_messages();
    auto role = new_version("post", "x");
    role.mutable_messages(0)->set_role("robot");
    auto parameters = new_version("post", "x");
    parameters.set_parameters_json(R"({"temperature":3})");
    auto json = new_version("post", "x");
    json.set_parameters_json("{");
    co_await refused(found, port.publish_version(ctx, no_name), kInvalidValue, "no name", "name");
    co_await refused(found, port.publish_version(ctx, loud_name), kInvalidValue, "Post", "name");
    co_await refused(found, port.publish_version(ctx, open), kTemplateError, "open",
                     "/messages/0/content");
    co_await refused(found, port.publish_version(ctx, loud_label), kInvalidValue, "Loud", "labels");
    co_await refused(found, port.publish_version(ctx, no_message), kInvalidValue, "no message",
                     "/messages");
    co_await refused(found, port.publish_version(ctx, role), kInvalidValue, "robot",
                     "/messages/0/role");
    co_await refused(found, port.publish_version(ctx, parameters), kInvalidValue, "temperature",
                     "/parameters/temperature");
    co_await refused(found, port.publish_version(ctx, json), kInvalidJson, "no JSON");
    QUIRE_CO_TRY(const auto listed, list_prompts(port, ctx));
    found.expect(listed.prompts().empty(), "one of them was published");
    co_return Result<void>();
}

awaitable<Result<void>> a_version_is_chosen_one_way(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    QUIRE_CO_TRY(const auto published, publish(port, ctx, "post", "one", "production"));
    found.expect(published.version() == 1, "another number");
    co_await refused(found, get_version(port, ctx, "post", "production", 1), kInvalidValue,
                     "both ways", "version");
    co_await refused(found, get_version(port, ctx, "post", "beta"), kPromptNotFound,
                     "a label that nobody gave", "prompt");
    co_await refused(found, get_version(port, ctx, "post", "", 2), kPromptNotFound,
                     "a version that nobody made", "prompt");
    co_await refused(found, point(port, ctx, "post", "beta", 2), kPromptNotFound, "a label for it",
                     "prompt");
    co_await refused(found, point(port, ctx, "post", "Beta", 1), kInvalidValue, "a loud label",
                     "label");
    co_await refused(found, point(port, ctx, "post", "beta", 0), kInvalidValue, "version 0",
                     "version");
    co_return Result<void>();
}

awaitable<Result<void>> foreign_and_unknown_prompts_are_not_found_alike(Prompts& port,
                                                                        Findings& found) {
    const auto owner = new_author();
    QUIRE_CO_TRY(const auto published, publish(port, owner, "post", "one", "production"));
    found.expect(published.version() == 1, "another number");
    auto other_project = another_request(owner);
    other_project.principal.project_id = new_author().principal.project_id;
    auto other_organization = another_request(owner);
    other_organization.principal.org_id = new_author().principal.org_id;
    for (const auto& ctx : {other_project, other_organization}) {
        for (const char* name : {"post", "never"}) {
            co_await refused(found, get_version(port, ctx, name), kPromptNotFound, name, "prompt");
            co_await refused(found, point(port, ctx, name, "production", 1), kPromptNotFound, name,
                             "prompt");
            co_await refused(found, generate_text(port, ctx, new_generation(name)), kPromptNotFound,
                             name, "prompt");
        }
        QUIRE_CO_TRY(const auto listed, list_prompts(port, ctx));
        found.expect(listed.prompts().empty(), "foreign prompts are listed");
    }
    co_return Result<void>();
}

awaitable<Result<void>> pages_show_every_prompt_once(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    for (const char* name : {"c", "a", "e", "b", "d"}) {
        QUIRE_CO_TRY(const auto published, publish(port, ctx, name, "x", "production"));
        found.expect_same(published.name(), name, "published");
    }
    QUIRE_CO_TRY(const auto again, publish(port, ctx, "c", "y"));
    std::string seen;
    bool has_more = true;
    while (has_more && seen.size() < 20) {
        const std::string after = seen.empty() ? "" : seen.substr(seen.size() - 2, 1);
        QUIRE_CO_TRY(const auto page, list_prompts(port, ctx, after, 2));
        has_more = page.has_more();
        for (const auto& prompt : page.prompts()) {
            seen += prompt.name() + " ";
            const std::int64_t newest = prompt.name() == "c" ? again.version() : 1;
            const bool is_right = prompt.latest_version() == newest &&
                                  prompt.labels().size() == 1 &&
                                  prompt.labels().begin()->first == "production" &&
                                  prompt.labels().begin()->second == 1;
            found.expect(is_right, prompt.ShortDebugString());
        }
    }
    found.expect_same(seen, "a b c d e ", "all pages");
    co_await refused(found, list_prompts(port, ctx, "", 1001), kInvalidValue, "1001", "limit");
    co_await refused(found, list_prompts(port, ctx, "", -1), kInvalidValue, "-1", "limit");
    co_return Result<void>();
}

}  // namespace

std::vector<PromptsCase> prompts_version_cases() {
    return {
        {"VersionsCountUpAndLabelsMove", versions_count_up_and_labels_move},
        {"ALabelGoesBack", a_label_goes_back},
        {"AVersionKeepsAllItWasGiven", a_version_keeps_all_it_was_given},
        {"BadVersionsAreRefusedWhole", bad_versions_are_refused_whole},
        {"AVersionIsChosenOneWay", a_version_is_chosen_one_way},
        {"ForeignAndUnknownPromptsAreNotFoundAlike",
         foreign_and_unknown_prompts_are_not_found_alike},
        {"PagesShowEveryPromptOnce", pages_show_every_prompt_once},
    };
}

}  // namespace quire::test
