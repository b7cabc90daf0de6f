#include "services/prompts/prompts_service.hpp"

#include "base/text.hpp"
#include "base/words.hpp"
#include "providers/model_catalog.hpp"
#include "services/prompts/story.hpp"
#include "storage/idempotency.hpp"
#include "storage/page.hpp"

#include <fmt/format.h>

namespace quire::prompts {
namespace {

using storage::Connection;

constexpr std::int64_t kVersionsMax = 10'000;
constexpr std::size_t kLabelsMax = 20;
constexpr const char* kDefaultLabel = "production";

PromptOwner owner_of(const rpc::CallContext& ctx) {
    return {ctx.principal.org_id, ctx.principal.project_id};
}

Error no_prompt(const v1::GetPromptRequest& which) {
    std::string text = fmt::format("there is no prompt '{}'", excerpt(which.name()));
    if (which.version() != 0) text += fmt::format(" with a version {}", which.version());
    if (!which.label().empty()) {
        text += fmt::format(" with the label '{}'", excerpt(which.label()));
    }
    return Error(ErrorCode::kPromptNotFound, std::move(text)).with_param("prompt");
}

Result<PromptVersion> find_version(PromptStore& store, const v1::GetPromptRequest& which) {
    std::int64_t number = which.version();
    if (!which.label().empty()) {
        QUIRE_TRY(number, store.version_at(which.name(), which.label()));
    } else if (number == 0) {
        QUIRE_TRY(number, store.newest_version(which.name()));
    }
    QUIRE_TRY(auto found, store.find_version(which.name(), number));
    if (!found) return no_prompt(which);
    return *std::move(found);
}

Error too_many(std::string_view what, std::int64_t limit) {
    return Error(ErrorCode::kInvalidValue, fmt::format("a prompt may have {} {}", limit, what))
        .with_detail("limit", std::to_string(limit));
}

Result<void> move_label(PromptStore& store, const std::string& name, const std::string& label,
                        std::int64_t version, Timestamp at) {
    QUIRE_TRY(const auto labels, store.labels_of(name));
    if (labels.size() >= kLabelsMax && !labels.contains(label)) {
        return too_many("labels", kLabelsMax);
    }
    return store.put_label(name, label, version, at);
}

Result<PromptVersion> publish(PromptStore& store, PromptVersion version) {
    QUIRE_TRY(const std::int64_t newest, store.newest_version(version.name));
    if (newest >= kVersionsMax) return too_many("versions", kVersionsMax);
    version.version = newest + 1;
    const auto inserted = store.insert_version(version);
    if (!inserted) return inserted.error();
    for (const std::string& label : version.labels) {
        const auto moved =
            move_label(store, version.name, label, version.version, version.created_at);
        if (!moved) return moved.error();
    }
    return version;
}

/// A repeat is given the first answer: the labels as they were moved then.
Result<v1::PublishVersionResponse> publish_once(Connection& connection,
                                                const storage::IdempotentCall& once,
                                                const PromptVersion& version, Timestamp now) {
    v1::PublishVersionResponse response;
    QUIRE_TRY(const auto first, storage::find_first_answer(connection, once, now));
    if (first) {
        if (!response.ParseFromString(*first)) {
            return Error(ErrorCode::kStorageUnavailable, "the store holds what is no answer");
        }
        response.set_replayed(true);
        return response;
    }
    const PromptOwner owner{once.org_id, once.project_id};
    PromptStore store(connection, owner);
    QUIRE_TRY(const PromptVersion published, publish(store, version));
    *response.mutable_version() = to_message(published);
    const auto kept =
        storage::keep_first_answer(connection, once, response.SerializeAsString(), now);
    if (!kept) return kept.error();
    return response;
}

Result<json::object> variables_of(const v1::GenerateCall& call) {
    if (call.variables_json().empty()) return json::object();
    auto parsed = runtime::parse_json(call.variables_json());
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) {
        return Error(ErrorCode::kInvalidValue, "variables must be an object")
            .with_param("variables");
    }
    return std::move(parsed->get_object());
}

/// What is known of the chat before the prompt has been found.
v1::ChatCall begin_chat(const v1::GenerateCall& call) {
    v1::ChatCall chat;
    chat.mutable_request()->set_model(call.model());
    chat.set_route(call.route());
    chat.set_streamed(call.streamed());
    *chat.mutable_steps() = call.steps();
    chat.set_request_hash(call.request_hash());
    chat.set_prompt(call.prompt());
    *chat.mutable_metadata() = call.metadata();
    return chat;
}

/// Makes `chat` what would be asked, had the caller written the messages.
Result<void> render_into(v1::ChatCall& chat, const v1::GenerateCall& call,
                         const PromptVersion& version) {
    chat.set_prompt(version.name);
    chat.set_prompt_version(version.version);
    QUIRE_TRY(const json::object variables, variables_of(call));
    QUIRE_TRY(auto request, render(version, variables));
    if (!call.model().empty()) request.set_model(call.model());
    if (call.has_max_output_tokens()) request.set_max_tokens(call.max_output_tokens());
    *chat.mutable_request() = std::move(request);
    return {};
}

Result<v1::GetPromptRequest> choice_of(const v1::GenerateCall& call) {
    if (call.has_max_output_tokens() && call.max_output_tokens() < 1) {
        return Error(ErrorCode::kInvalidValue, "max_output_tokens must be at least 1")
            .with_param("max_output_tokens");
    }
    v1::GetPromptRequest which;
    which.set_name(call.prompt());
    which.set_label(call.label());
    which.set_version(call.version());
    if (call.label().empty() && call.version() == 0) which.set_label(kDefaultLabel);
    return which;
}

/// Rendering begins where the steps of the edge end.
void add_render_step(v1::ChatCall& call, std::chrono::steady_clock::duration took) {
    const auto start = edge_took(call);
    auto& step = *call.add_steps();
    step.set_name("render");
    step.set_start_us(start.count());
    step.set_duration_us(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
}

}  // namespace

awaitable<Result<void>> PromptsService::chat(const rpc::CallContext& ctx, const v1::ChatCall& call,
                                             rpc::Sink<common::v1::ChatEvent>& sink) {
    const auto entry = running_.enter(ctx.request_id);
    if (!entry) co_return runs_already(ctx.request_id);
    auto done = co_await run_generation(deps_, ctx, call, sink);
    co_return done;
}

awaitable<Result<void>> PromptsService::generate(const rpc::CallContext& ctx,
                                                 const v1::GenerateCall& call,
                                                 rpc::Sink<common::v1::ChatEvent>& sink) {
    const auto entry = running_.enter(ctx.request_id);
    if (!entry) co_return runs_already(ctx.request_id);
    v1::ChatCall chat = begin_chat(call);
    const SteadyTime from = deps_.clock.steady();
    const auto prepared = co_await prepare(ctx, call, chat);
    add_render_step(chat, deps_.clock.steady() - from);
    if (!prepared) {
        tell_refusal(deps_, ctx, chat, prepared.error());
        co_return prepared.error();
    }
    auto done = co_await run_generation(deps_, ctx, chat, sink);
    co_return done;
}

/// Makes `chat` the request to run, as far as it gets.
awaitable<Result<void>> PromptsService::prepare(const rpc::CallContext& ctx,
                                                const v1::GenerateCall& call, v1::ChatCall& chat) {
    const auto which = choice_of(call);
    if (!which) co_return which.error();
    QUIRE_CO_TRY(const PromptVersion version, find(ctx, *which));
    const auto rendered = render_into(chat, call, version);
    if (!rendered) {
        const std::string& model = call.model().empty() ? version.model : call.model();
        const auto known = co_await find_model(ctx, model);
        const bool is_unknown = !known && known.error().code() == ErrorCode::kModelNotFound;
        co_return is_unknown ? known.error() : rendered.error();  // the order of checks at the edge
    }
    if (chat.request().model().empty()) {
        QUIRE_CO_TRY(const std::string first, find_model(ctx, chat.request().model()));
        chat.mutable_request()->set_model(first);
    }
    co_return Result<void>();
}

awaitable<Result<std::string>> PromptsService::find_model(const rpc::CallContext& ctx,
                                                          const std::string& name) {
    const inference::v1::ListModelsRequest all;
    QUIRE_CO_TRY(const auto models, deps_.inference->list_models(ctx, all));
    for (const auto& model : models.models()) {
        if (name.empty() || model.name() == name) co_return model.name();
    }
    if (!name.empty()) co_return providers::unknown_model(name);
    co_return Error(ErrorCode::kModelNotFound, "no model is configured").with_param("model");
}

awaitable<Result<PromptVersion>> PromptsService::find(const rpc::CallContext& ctx,
                                                      const v1::GetPromptRequest& which) {
    if (!which.label().empty() && which.version() != 0) {
        co_return Error(ErrorCode::kInvalidValue, "give a label or a version, not both")
            .with_param("version");
    }
    const PromptOwner owner = owner_of(ctx);
    auto read = [&](Connection& connection) {
        PromptStore store(connection, owner);
        return find_version(store, which);
    };
    auto found = co_await database_.read(std::move(read));
    co_return found;
}

awaitable<Result<v1::PublishVersionResponse>> PromptsService::publish_version(
    const rpc::CallContext& ctx, const v1::PublishVersionRequest& request) {
    auto version = version_of(request);
    if (!version) co_return version.error();
    version->created_at = deps_.clock.now();
    const storage::IdempotentCall once{ctx.principal.org_id, ctx.principal.project_id,
                                       ctx.idempotency_key, request.request_hash()};
    const Timestamp now = retention_clock_.now();
    auto write = [&](Connection& connection) {
        return publish_once(connection, once, *version, now);
    };
    auto published = co_await database_.write(std::move(write));
    co_return published;
}

awaitable<Result<v1::ListPromptsResponse>> PromptsService::list_prompts(
    const rpc::CallContext& ctx, const v1::ListPromptsRequest& request) {
    const auto limit = storage::page_limit(request.page());
    if (!limit) co_return limit.error();
    const PromptOwner owner = owner_of(ctx);
    auto read = [&](Connection& connection) {
        return PromptStore(connection, owner).list(request.page().after(), *limit + 1);
    };
    QUIRE_CO_TRY(std::vector<PromptRow> rows, database_.read(std::move(read)));
    v1::ListPromptsResponse response;
    response.set_has_more(storage::cut_page(rows, *limit));
    for (const PromptRow& row : rows) {
        auto& prompt = *response.add_prompts();
        prompt.set_name(row.name);
        prompt.set_latest_version(row.latest_version);
        prompt.mutable_labels()->insert(row.labels.begin(), row.labels.end());
        prompt.set_created_at_us(row.created_at.micros);
    }
    co_return response;
}

awaitable<Result<v1::GetPromptResponse>> PromptsService::get_prompt(
    const rpc::CallContext& ctx, const v1::GetPromptRequest& request) {
    QUIRE_CO_TRY(const PromptVersion version, find(ctx, request));
    v1::GetPromptResponse response;
    *response.mutable_version() = to_message(version);
    co_return response;
}

awaitable<Result<v1::SetLabelResponse>> PromptsService::set_label(
    const rpc::CallContext& ctx, const v1::SetLabelRequest& request) {
    const auto named = check_word("label", request.label());
    if (!named) co_return named.error();
    if (request.version() < 1) {
        co_return Error(ErrorCode::kInvalidValue, "version must be the number of a version")
            .with_param("version");
    }
    v1::GetPromptRequest which;
    which.set_name(request.name());
    which.set_version(request.version());
    const PromptOwner owner = owner_of(ctx);
    const Timestamp now = deps_.clock.now();
    auto write = [&](Connection& connection) -> Result<PromptVersion> {
        PromptStore store(connection, owner);
        const auto found = find_version(store, which);
        if (!found) return found.error();
        const auto moved =
            move_label(store, request.name(), request.label(), request.version(), now);
        if (!moved) return moved.error();
        return find_version(store, which);
    };
    QUIRE_CO_TRY(const PromptVersion version, database_.write(std::move(write)));
    v1::SetLabelResponse response;
    *response.mutable_version() = to_message(version);
    co_return response;
}

awaitable<Result<v1::ListModelsResponse>> PromptsService::list_models(
    const rpc::CallContext& ctx, const v1::ListModelsRequest& /*request*/) {
    const inference::v1::ListModelsRequest all;
    QUIRE_CO_TRY(const auto models, deps_.inference->list_models(ctx, all));
    v1::ListModelsResponse response;
    for (const auto& model : models.models()) {
        auto& out = *response.add_models();
        out.set_name(model.name());
        out.set_provider(model.provider());
        out.set_created_at_us(model.created_at_us());
    }
    co_return response;
}

awaitable<Result<common::v1::OutboxPage>> PromptsService::read_outbox(
    const rpc::CallContext& /*ctx*/, const common::v1::ReadOutboxRequest& request) {
    auto page = co_await deps_.journal.read_outbox(request);
    co_return page;
}

}  // namespace quire::prompts
