#include "app/commands.hpp"
#include "app/data_folder.hpp"
#include "app/terminal.hpp"

namespace quire::app {
namespace {

/// Of a text that comes in pieces.
class LastLine {
public:
    void add(std::string_view bytes) {
        while (!bytes.empty()) {
            if (is_over_) text_.clear();
            const auto end = bytes.find('\n');
            text_ += bytes.substr(0, end);
            is_over_ = end != std::string_view::npos;
            bytes.remove_prefix(is_over_ ? end + 1 : bytes.size());
        }
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
    bool is_over_ = false;
};

/// A stream's status went out before its messages, so an error is its last line.
bool is_error(std::string_view line) {
    const auto parsed = runtime::parse_json(line);
    if (!parsed || !parsed->is_object() || parsed->get_object().size() != 1) return false;
    const json::value* error = runtime::find_member(parsed->get_object(), "error");
    return error != nullptr && error->is_object() &&
           runtime::text_member(error->get_object(), "type").starts_with("urn:quire:error:");
}

}  // namespace

int call_command(const GlobalOptions& options, const config::Environment& /*environment*/,
                 const std::string& method, const std::string& body) {
    const auto client = OperatorClient::at_socket(socket_path(options.data), options.org);
    LastLine last;
    const auto show = [&last](std::string_view bytes) {
        write_stdout(bytes);
        std::fflush(stdout);
        last.add(bytes);
    };
    const auto answer = client.send("POST", "/rpc/" + method, body, show);
    if (!answer) return fail(answer.error());
    if (answer->status >= 300) return fail(error_of(*answer));
    return is_error(last.text()) ? kCommandFailed : kDone;
}

}  // namespace quire::app
