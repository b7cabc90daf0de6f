#pragma once

#include "runtime/async.hpp"

#include <string>
#include <string_view>

namespace quire::test {

/// What a case saw that should not be, one sentence each.
class Findings {
public:
    void expect(bool holds, std::string_view otherwise);
    /// That two texts are one.
    void expect_same(std::string_view seen, std::string_view wanted, std::string_view when);
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

/// The same of a call that is still to be made.
template <class T>
awaitable<void> refused(Findings& found, awaitable<Result<T>> call, ErrorCode code,
                        std::string_view name, std::string_view param = "") {
    const auto result = co_await std::move(call);
    found.expect_refused(result, code, name, param);
}

}  // namespace quire::test
