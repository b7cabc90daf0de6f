// The hold-back against the oracle: any text, cut anywhere, under every list of rules. The first
// byte picks the list, the second how the rest is cut.
#include "tests/support/review_cases.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using quire::SeededRng;
using quire::test::ReviewOracle;
using quire::test::ReviewSubject;

constexpr int kRandomLists = 30;

const std::vector<ReviewSubject>& subjects() {
    static const std::vector<ReviewSubject> all = [] {
        SeededRng rng(1);
        return quire::test::review_subjects(rng, kRandomLists);
    }();
    return all;
}

void check(const ReviewSubject& subject, std::string_view text,
           const std::vector<std::size_t>& cuts) {
    const ReviewOracle::Answer wanted = subject.oracle.review(text);
    const ReviewOracle::Answer answer = quire::test::stream_review(*subject.rules, text, cuts);
    if (answer == wanted) return;
    fmt::print(stderr, "stream {:?} ({})\noracle {:?} ({})\n", answer.text, answer.blocked_by,
               wanted.text, wanted.blocked_by);
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const ReviewSubject& subject = subjects()[data[0] % subjects().size()];
    SeededRng rng(data[1]);
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    check(subject, text, quire::test::random_cuts(rng, text.size()));
    return 0;
}
