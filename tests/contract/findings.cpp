#include "tests/contract/findings.hpp"

#include <fmt/format.h>

namespace quire::test {

void Findings::expect(bool holds, std::string_view otherwise) {
    if (!holds) text_ += fmt::format("{}\n", otherwise);
}

void Findings::expect_same(std::string_view seen, std::string_view wanted, std::string_view when) {
    expect(seen == wanted, fmt::format("{}: {} instead of {}", when, seen, wanted));
}

void Findings::expect_error(const Error& error, ErrorCode code, std::string_view call,
                            std::string_view param) {
    expect(error.code() == code,
           fmt::format("{}: refused with {} instead of {}", call, error.name(), row_of(code).name));
    expect(error.detail("param") == param,
           fmt::format("{}: names '{}' instead of '{}'", call, error.detail("param"), param));
}

}  // namespace quire::test
