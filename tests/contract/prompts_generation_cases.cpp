// Generations: rendered, answered, told of.
#include "base/clock.hpp"
#include "tests/contract/prompts_calls.hpp"
#include "tests/contract/prompts_suite.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace quire::test {
namespace {

using namespace std::chrono_literals;
using prompts::Prompts;
using prompts::v1::ChatCall;
using enum ErrorCode;

constexpr std::chrono::seconds kToldWithin{5};
constexpr const char* kListing = "{% for x in list %}{{ x }};{% endfor %}";

ChatCall chat_of(std::string model, std::string text) {
    ChatCall call;
    call.set_route("/v1/chat/completions");
    call.mutable_request()->set_model(std::move(model));
    auto& message = *call.mutable_request()->add_messages();
    message.set_role("user");
    message.set_content_is_text(true);
    message.add_parts()->set_text(std::move(text));
    return call;
}

/// "completed" or "failed" for each event of this request that is in the outbox.
awaitable<Result<std::string>> told_of(Prompts& port, const std::string& request_id) {
    const rpc::CallContext service;
    common::v1::ReadOutboxRequest request;
    request.set_limit(1000);
    std::string told;
    while (true) {
        QUIRE_CO_TRY(const auto page, port.read_outbox(service, request));
        if (page.events().empty()) co_return told;
        for (const auto& event : page.events()) {
            if (event.subject() != request_id) continue;
            const bool is_good = event.type() == "quire.prompts.generation_completed.v1";
            told += is_good ? "completed " : "failed ";
        }
        request.set_after_sequence(page.events(page.events_size() - 1).sequence());
    }
}

/// Waits for the first event: what happened is written down after the answer.
awaitable<Result<std::string>> told_soon(Prompts& port, std::string request_id) {
    const SteadyTime until = SystemClock().steady() + kToldWithin;
    while (true) {
        QUIRE_CO_TRY(std::string told, told_of(port, request_id));
        if (!told.empty() || SystemClock().steady() > until) co_return told;
        const auto slept = co_await runtime::sleep_for(5ms);
        if (!slept) co_return slept.error();
    }
}

awaitable<Result<void>> a_chat_is_answered_and_charged(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    const auto call = chat_of("second", "hello");
    ChatEvents events;
    const auto ended = co_await port.chat(ctx, call, events);
    if (!ended) co_return ended.error();
    found.expect_same(fmt::format("{}", fmt::join(events.words, " ")),
                      "started hello finished:stop", "events");
    const auto& started = events.started();
    found.expect_same(started.model(), "second", "model");
    found.expect(started.created_at_us() > 1'700'000'000'000'000, "no time");
    const auto& finished = events.finished();
    found.expect(finished.cost().amount() == kChargedForAll, "another cost");
    found.expect(finished.usage().input_tokens() == 3 && finished.usage().output_tokens() == 4,
                 "another usage");
    co_return Result<void>();
}

awaitable<Result<void>> a_generation_renders_what_production_points_at(Prompts& port,
                                                                       Findings& found) {
    const auto ctx = new_author();
    QUIRE_CO_TRY(const auto first, publish(port, ctx, "post", "On {{ topic }}.", "production"));
    QUIRE_CO_TRY(const auto second, publish(port, ctx, "post", "New: {{ topic }}.", "beta"));
    auto call = new_generation("post", R"({"topic":"bees"})");
    ChatEvents events;
    const auto ended = co_await port.generate(ctx, call, events);
    if (!ended) co_return ended.error();
    const auto& started = events.started();
    found.expect_same(fmt::format("{}", fmt::join(events.words, " ")),
                      "started On bees. finished:stop", "events");
    found.expect_same(started.prompt() + " " + started.model(), "post first", "who answers");
    found.expect(started.prompt_version() == first.version(), "another version");
    found.expect(events.finished().cost().amount() == kChargedForAll, "another cost");

    call.set_label("beta");
    QUIRE_CO_TRY(const auto by_label, generate_text(port, another_request(ctx), call));
    found.expect_same(by_label, "New: bees.", "by label");
    call.clear_label();
    call.set_version(second.version());
    QUIRE_CO_TRY(const auto by_version, generate_text(port, another_request(ctx), call));
    found.expect_same(by_version, "New: bees.", "by version");
    call.set_label("beta");
    co_await refused(found, generate_text(port, another_request(ctx), call), kInvalidValue,
                     "both ways", "version");
    co_return Result<void>();
}

awaitable<Result<void>> a_label_that_moves_is_live_at_once(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    const auto call = new_generation("post");
    QUIRE_CO_TRY(const auto first, publish(port, ctx, "post", "one", "production"));
    QUIRE_CO_TRY(const auto before, generate_text(port, another_request(ctx), call));
    found.expect_same(before, "one", "published");
    QUIRE_CO_TRY(const auto second, publish(port, ctx, "post", "two", "production"));
    found.expect(second.version() == first.version() + 1, "another number");
    QUIRE_CO_TRY(const auto after, generate_text(port, another_request(ctx), call));
    found.expect_same(after, "two", "published again");
    QUIRE_CO_TRY(const auto back, point(port, ctx, "post", "production", 1));
    found.expect(back.version() == 1, "it points elsewhere");
    QUIRE_CO_TRY(const auto rolled_back, generate_text(port, another_request(ctx), call));
    found.expect_same(rolled_back, "one", "rolled back");
    co_return Result<void>();
}

awaitable<Result<void>> variables_stay_text(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    QUIRE_CO_TRY(const auto published, publish(port, ctx, "post", kListing, "production"));
    found.expect(published.variables_size() == 1, "other variables");
    const auto call = new_generation("post", R"({"list":["{{ 7 * 7 }}","{% if %}",1.5,true]})");
    QUIRE_CO_TRY(const auto text, generate_text(port, ctx, call));
    found.expect_same(text, "{{ 7 * 7 }};{% if %};1.5;True;", "rendered");
    co_return Result<void>();
}

awaitable<Result<void>> bad_generations_are_refused(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    QUIRE_CO_TRY(const auto published, publish(port, ctx, "post", "{{ topic }}", "production"));
    found.expect(published.version() == 1, "another number");
    QUIRE_CO_TRY(const auto wrong, publish(port, ctx, "divide", "{{ 1 // n }}", "production"));
    found.expect(wrong.version() == 1, "another number");
    struct Refusal {
        prompts::v1::GenerateCall call;
        ErrorCode code;
        const char* param;
    };
    auto endless = new_generation("post", R"({"topic":"x"})");
    endless.set_max_output_tokens(0);
    for (const Refusal& each : std::vector<Refusal>{
             {new_generation("post"), kMissingVariable, "/variables/topic"},
             {new_generation("post", "{"), kInvalidJson, ""},
             {new_generation("post", "[]"), kInvalidValue, "variables"},
             {new_generation("divide", R"({"n":0})"), kTemplateError, ""},
             {endless, kInvalidValue, "max_output_tokens"},
         }) {
        co_await refused(found, generate_text(port, another_request(ctx), each.call), each.code,
                         each.call.ShortDebugString(), each.param);
    }
    co_return Result<void>();
}

awaitable<Result<void>> the_callers_model_and_limit_come_first(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    auto version = new_version("post", "x", {"production"});
    version.set_model("second");
    QUIRE_CO_TRY(const auto published, port.publish_version(ctx, version));
    auto call = new_generation("post");
    for (const char* wanted : {"second", "first"}) {
        const auto request = another_request(ctx);
        ChatEvents events;
        const auto ended = co_await port.generate(request, call, events);
        if (!ended) co_return ended.error();
        found.expect_same(events.started().model(), wanted, "model");
        call.set_model("first");
    }
    found.expect_same(published.version().model(), "second", "the version's model");
    const auto limited = another_request(ctx);
    call.set_max_output_tokens(9);
    ChatEvents events;
    const auto ended = co_await port.generate(limited, call, events);
    if (!ended) co_return ended.error();
    found.expect_same(events.finished().finish_reason(), "length", "limited to 9 of 100");
    co_return Result<void>();
}

awaitable<Result<void>> what_happens_is_told_once(Prompts& port, Findings& found) {
    const auto good = new_author();
    const auto call = chat_of("first", "hello");
    ChatEvents events;
    const auto ended = co_await port.chat(good, call, events);
    if (!ended) co_return ended.error();
    const auto bad = another_request(good);
    const auto broken = chat_of("broken", "hello");
    const auto failed = co_await port.chat(bad, broken, events);
    found.expect_refused(failed, kUpstreamError, "broken");
    const auto lost = another_request(good);
    co_await refused(found, generate_text(port, lost, new_generation("never")), kPromptNotFound,
                     "never", "prompt");
    QUIRE_CO_TRY(const auto of_the_lost, told_soon(port, lost.request_id));
    found.expect_same(of_the_lost, "failed ", "a prompt that nobody made");
    QUIRE_CO_TRY(const auto of_the_bad, told_soon(port, bad.request_id));
    found.expect_same(of_the_bad, "failed ", "an upstream that fails");
    QUIRE_CO_TRY(const auto of_the_good, told_soon(port, good.request_id));
    found.expect_same(of_the_good, "completed ", "an answer");
    co_return Result<void>();
}

awaitable<Result<void>> an_id_that_comes_twice_stops_nothing(Prompts& port, Findings& found) {
    const auto twice = new_author();
    for (int call = 0; call < 2; ++call) {
        co_await refused(found, generate_text(port, twice, new_generation("never")),
                         kPromptNotFound, "never", "prompt");
    }
    const auto next = another_request(twice);
    co_await refused(found, generate_text(port, next, new_generation("never")), kPromptNotFound,
                     "never", "prompt");
    QUIRE_CO_TRY(const auto of_the_next, told_soon(port, next.request_id));
    found.expect_same(of_the_next, "failed ", "the next request");
    QUIRE_CO_TRY(const auto of_both, told_soon(port, twice.request_id));
    found.expect_same(of_both, "failed ", "the id that came twice");
    co_return Result<void>();
}

awaitable<Result<void>> models_are_listed_for_the_caller(Prompts& port, Findings& found) {
    const auto ctx = new_author();
    const prompts::v1::ListModelsRequest all;
    QUIRE_CO_TRY(const auto listed, port.list_models(ctx, all));
    std::string names;
    for (const auto& model : listed.models()) names += model.name() + " ";
    found.expect_same(names, "first second broken ", "models");
    co_return Result<void>();
}

}  // namespace

std::vector<PromptsCase> prompts_generation_cases() {
    return {
        {"AChatIsAnsweredAndCharged", a_chat_is_answered_and_charged},
        {"AGenerationRendersWhatProductionPointsAt",
         a_generation_renders_what_production_points_at},
        {"ALabelThatMovesIsLiveAtOnce", a_label_that_moves_is_live_at_once},
        {"VariablesStayText", variables_stay_text},
        {"BadGenerationsAreRefused", bad_generations_are_refused},
        {"TheCallersModelAndLimitComeFirst", the_callers_model_and_limit_come_first},
        {"WhatHappensIsToldOnce", what_happens_is_told_once},
        {"AnIdThatComesTwiceStopsNothing", an_id_that_comes_twice_stops_nothing},
        {"ModelsAreListedForTheCaller", models_are_listed_for_the_caller},
    };
}

}  // namespace quire::test
