#pragma once

#include "quire/prompts/v1/prompts_port.hpp"
#include "tests/support/chat_events.hpp"

#include <string>
#include <vector>

namespace quire::test {

/// The calls of the port as the cases make them. `port` and `ctx` outlive each call.

/// A caller of a new project who may do everything with prompts.
rpc::CallContext new_author();
/// The same caller with another request.
rpc::CallContext another_request(rpc::CallContext ctx);

/// A version with one message of the user.
prompts::v1::PublishVersionRequest new_version(std::string name, std::string content,
                                               std::vector<std::string> labels = {});
awaitable<Result<prompts::v1::PromptVersion>> publish(prompts::Prompts& port,
                                                      const rpc::CallContext& ctx, std::string name,
                                                      std::string content, std::string label = "");
awaitable<Result<prompts::v1::PromptVersion>> get_version(prompts::Prompts& port,
                                                          const rpc::CallContext& ctx,
                                                          std::string name, std::string label = "",
                                                          std::int64_t version = 0);
awaitable<Result<prompts::v1::PromptVersion>> point(prompts::Prompts& port,
                                                    const rpc::CallContext& ctx, std::string name,
                                                    std::string label, std::int64_t version);
awaitable<Result<prompts::v1::ListPromptsResponse>> list_prompts(prompts::Prompts& port,
                                                                 const rpc::CallContext& ctx,
                                                                 std::string after = "",
                                                                 std::int32_t limit = 0);
/// A generation with the variables of a JSON object.
prompts::v1::GenerateCall new_generation(std::string prompt, std::string variables = "");
/// What a generation answered, its pieces joined.
awaitable<Result<std::string>> generate_text(prompts::Prompts& port, const rpc::CallContext& ctx,
                                             prompts::v1::GenerateCall call);

}  // namespace quire::test
