#pragma once

#include "quire/auth/v1/auth_port.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace quire::test {

/// What a case saw that should not be, one sentence each.
class Findings {
public:
    void expect(bool holds, std::string_view otherwise);
    /// That a call was refused with this code, naming `param` when it is not "".
    template <class T>
    void expect_refused(const Result<T>& result, ErrorCode code, std::string_view call,
                        std::string_view param = "") {
        if (result) {
            expect(false, std::string(call) + ": was not refused");
            return;
        }
        expect_error(result.error(), code, call, param);
    }
    const std::string& text() const { return text_; }

private:
    void expect_error(const Error& error, ErrorCode code, std::string_view call,
                      std::string_view param);

    std::string text_;
};

/// One rule of auth's contract. Written against the port alone, so that it holds for the service in
/// this process and for its wire client alike. An Error is a call that failed where it must not.
struct AuthCase {
    std::string name;
    awaitable<Result<void>> (*check)(auth::Auth& port, Findings& found);
};

/// Each case makes organizations of its own, and so needs no empty store.
std::vector<AuthCase> auth_cases();
std::vector<AuthCase> auth_key_cases();
std::vector<AuthCase> auth_tenancy_cases();
std::vector<AuthCase> auth_outbox_cases();

/// "" when the rule holds, else what was seen instead.
awaitable<std::string> check_auth(const AuthCase& rule, auth::Auth& port);

}  // namespace quire::test
