#pragma once

#include "base/secret.hpp"
#include "providers/provider.hpp"
#include "runtime/http/http_client.hpp"
#include "runtime/task_group.hpp"

#include <memory>
#include <string>

namespace quire::providers {

/// Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama-server, Ollama… It
/// is always asked to stream, so that a call can be cut at once; a plain JSON answer is understood
/// all the same.
class OpenAiProvider final : public Provider {
public:
    /// `base_url` up to and including the version (`…/v1`). `key` may be empty.
    OpenAiProvider(http::Client& client, http::Url base_url, Secret key);
    ~OpenAiProvider() override;

    awaitable<Result<Completion>> generate(const rpc::CallContext& ctx,
                                           const ProviderRequest& request,
                                           DeltaSink& sink) override;
    /// The names that `GET /models` lists, at most `max`.
    awaitable<Result<std::vector<std::string>>> list_models(std::size_t max);

    /// Waits until no connection is being read to its end any more. Not from a loop.
    void stop();

private:
    http::ClientRequest make_request(const rpc::CallContext& ctx,
                                     const ProviderRequest& request) const;
    awaitable<Error> refused(http::ClientResponse& response) const;

    http::Client& client_;
    http::Target target_;
    Secret key_;
    std::vector<std::string> secrets_;  ///< what no message may show
    runtime::TaskGroup draining_;
};

}  // namespace quire::providers
