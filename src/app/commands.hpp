#pragma once

#include "app/operator_client.hpp"
#include "app/settings.hpp"
#include "runtime/json.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace quire::app {

inline constexpr int kDone = 0;
inline constexpr int kCommandFailed = 1;
inline constexpr int kWrongUsage = 2;

/// What every command takes.
struct GlobalOptions {
    std::filesystem::path data;
    std::string org;
    std::string url;
    std::string config_file;
    bool is_json = false;
};

/// The running process that the options point to: --url with QUIRE_API_KEY, else the socket. An
/// Error is one of the options.
Result<OperatorClient> connect(const GlobalOptions& options,
                               const config::Environment& environment);
/// Prints the error on stderr and gives kCommandFailed, or kWrongUsage where the process says that
/// what it was told is wrong (INVALID_ARGUMENT).
int fail(const Error& error);
/// Prints the error on stderr and gives kWrongUsage.
int wrong_usage(const Error& error);

/// A problem+json answer (or OpenAI's object) as the Error it was.
Error error_of(const OperatorAnswer& answer);
/// An answer of the running process as JSON, or the Error it was.
Result<json::value> call_json(const OperatorClient& client, const std::string& method,
                              const std::string& path, const std::string& body);

/// A list that comes in pages.
struct ListCall {
    std::string path;    ///< under /api/v1
    std::string rpc;     ///< by the socket
    std::string member;  ///< of the socket's answer; /api/v1 calls it data
    std::string cursor;  ///< the member of an entry that the next page begins after
};
/// All entries, page by page.
Result<json::array> list_all(const OperatorClient& client, const ListCall& call);

/// The socket says 64-bit integers as strings, /api/v1 as numbers; absent is 0.
std::int64_t integer_of(const json::value& value);
std::int64_t integer_member(const json::object& object, std::string_view key);

int call_command(const GlobalOptions& options, const config::Environment& environment,
                 const std::string& method, const std::string& body);

struct NewKey {
    std::string name;
    std::optional<std::string> scopes;
    std::string expires;
};
int create_key_command(const GlobalOptions& options, const config::Environment& environment,
                       const NewKey& key);
int list_keys_command(const GlobalOptions& options, const config::Environment& environment);
int revoke_key_command(const GlobalOptions& options, const config::Environment& environment,
                       const std::string& id);

int balance_command(const GlobalOptions& options, const config::Environment& environment);
int entries_command(const GlobalOptions& options, const config::Environment& environment);
struct NewGrant {
    std::string amount;  ///< as typed
    std::string reason;
};
int grant_command(const GlobalOptions& options, const config::Environment& environment,
                  const NewGrant& grant);
/// Also without a running process: then it reads the data folder itself.
int verify_command(const GlobalOptions& options);

struct PromptChoice {
    std::string name;
    std::string label;
    std::int64_t version = 0;  ///< 0: not given
};
int list_prompts_command(const GlobalOptions& options, const config::Environment& environment);
int get_prompt_command(const GlobalOptions& options, const config::Environment& environment,
                       const PromptChoice& choice);
int publish_prompt_command(const GlobalOptions& options, const config::Environment& environment,
                           const std::string& file, const std::string& label);
int label_prompt_command(const GlobalOptions& options, const config::Environment& environment,
                         const PromptChoice& choice);

int check_config_command(const GlobalOptions& options, const config::Environment& environment);
int print_config_command(const GlobalOptions& options, const config::Environment& environment);
int version_command(const GlobalOptions& options);
int doctor_command(const GlobalOptions& options, const config::Environment& environment);

}  // namespace quire::app
