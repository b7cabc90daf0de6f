#include "services/prompts/template/budget.hpp"

#include "services/prompts/template/template.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

namespace quire::prompts {
namespace {

constexpr std::size_t kMega = 1'000'000;

std::string copies(std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += text;
    return out;
}

/// The rendered text, or the message of the refusal.
std::string outcome_of(std::string_view source, const json::object& variables,
                       std::size_t steps_max = TemplateLimits{}.steps_max) {
    const auto made = Template::compile(source, {.steps_max = steps_max});
    if (!made) return made.error().message();
    const auto rendered = made->render(variables);
    return rendered ? *rendered : rendered.error().message();
}

/// What is done is a few nodes only: the rest of the steps is what it must pay for its bytes.
void expect_more_steps(std::string_view source, const json::object& variables, std::size_t steps) {
    const std::string text = outcome_of(source, variables, steps);
    EXPECT_NE(text.find(fmt::format("more than {} steps", steps)), std::string::npos)
        << source.substr(0, 80) << ": " << text.substr(0, 200);
}

/// An object with one member, which `w` names.
json::object variables_with_key(std::string key) {
    json::object variables;
    variables["v"] = json::object{{key, 1}};
    variables["w"] = std::move(key);
    return variables;
}

TEST(Budget, IsPaidForBothTextsOfASearch) {
    expect_more_steps("{{ w in 'a' }}", {{"w", std::string(kMega, 'a')}}, 1000);
    expect_more_steps("{{ w not in 'a' }}", {{"w", std::string(kMega, 'a')}}, 1000);
}

TEST(Budget, IsPaidForTheKeysOfASortBeforeTheyAreLowered) {
    const json::object variables{{"v", std::string(kMega, 'A')}};

    expect_more_steps("{% set x = [v] | sort %}", variables, 5000);
    expect_more_steps("{% set x = [v] | unique %}", variables, 5000);
}

TEST(Budget, IsPaidForTheCharactersToTrim) {
    expect_more_steps("{{ 'b' | trim(v) }}", {{"v", std::string(kMega, 'a')}}, 1000);
}

TEST(Budget, IsPaidForTheKeysOfObjects) {
    const json::object variables = variables_with_key(std::string(kMega, 'k'));

    for (const std::string_view source :
         {"{% for key in v %}{% endfor %}", "{% set x = v | first %}", "{% set x = v.items() %}",
          "{{ v[w] }}", "{{ w[w] is defined }}", "{{ w in v }}", "{{ v == v }}",
          "{% set x = v | string %}", "{% set x = v | tojson %}", "{{ [v] | join(attribute=w) }}",
          "{{ [v] | sort(attribute=w) | length }}"}) {
        expect_more_steps(source, variables, 1000);
    }
}

TEST(Budget, IsPaidForLongNames) {
    const std::string name(200'000, 'n');
    const json::object variables{{"v", json::object{{"a", 1}}}, {"one", json::array{1}}};

    for (const std::string_view source :
         {"{{{{ {} is defined }}}}", "{{{{ v.{} is defined }}}}", "{{% set {} = 1 %}}",
          "{{% for {} in one %}}{{% endfor %}}"}) {
        expect_more_steps(fmt::format(fmt::runtime(source), name), variables, 500);
    }
}

TEST(Budget, IsPaidForEachWordOfATitle) {
    expect_more_steps("{% set x = v | title %}", {{"v", copies("a ", 1000)}}, 500);
}

TEST(Budget, IsPaidForEachPartOfWhatUniqueCompares) {
    expect_more_steps(
        "{% set a = 'x' %}" + copies("{% set a = (a, a) %}", 13) + "{% set x = [a] | unique %}",
        json::object(), 5000);
    EXPECT_NE(outcome_of("{% set a = 'x' %}" + copies("{% set a = (a, a) %}", 40) +
                             "{% set x = [a] | unique %}",
                         json::object())
                  .find("more than 100000 steps"),
              std::string::npos);
}

TEST(Budget, IsPaidForEachRangeThatIsPrinted) {
    expect_more_steps("{% set a = [range(1)] * 2000 %}" + copies("{% set x = a | string %}", 3),
                      json::object(), 5000);
}

TEST(Budget, IsPaidForTheValuesOfAVariable) {
    const json::object variables{{"v", json::array(100'000, 0)}};

    expect_more_steps("{{ v | length }}", variables, 5000);
    EXPECT_EQ(outcome_of("{{ v | length }}{{ v | length }}", variables, 10'000), "100000100000");
}

/// Each of these took ten seconds and more when it was quadratic.
TEST(Budget, CoversSearchesThatNearlyMatchEverywhere) {
    const auto near_match = [](std::size_t size) {
        return std::string(size / 2, 'a') + "b" + std::string(size / 2, 'a');
    };
    std::string characters;
    for (int i = 0; i < 20'000; ++i) {
        const int code_point = 0x4E00 + i;
        characters += static_cast<char>(0xE0 | (code_point >> 12));
        characters += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
        characters += static_cast<char>(0x80 | (code_point & 0x3F));
    }
    const std::string last = characters.substr(characters.size() - 3);
    const auto start = std::chrono::steady_clock::now();

    EXPECT_EQ(outcome_of("{{ w in v }}",
                         {{"v", std::string(3 * kMega, 'a')}, {"w", near_match(3 * kMega / 2)}}),
              "False");
    EXPECT_EQ(outcome_of("{% for i in range(4) %}{{ v | replace(w, '') | length }} {% endfor %}",
                         {{"v", std::string(kMega, 'a')}, {"w", near_match(kMega / 2)}}),
              "1000000 1000000 1000000 1000000 ");
    EXPECT_EQ(outcome_of("{{ v | trim(w) }}", {{"v", copies(last, 300'000)}, {"w", characters}}),
              "");

    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Budget, DoesNotKeepLongTextsInErrors) {
    json::object variables = variables_with_key(std::string(kMega, 'k'));
    variables["digits"] = std::string(kMega, '9');
    for (const std::string_view source :
         {"{{ v[w ~ 'k'] }}", "{{ digits | int }}", "{{ 'abcd' | truncate(3, true, w) }}",
          "{{ [1] | join(attribute=w) }}"}) {
        const auto rendered = Template::compile(source)->render(variables);

        ASSERT_FALSE(rendered) << source;
        EXPECT_LT(rendered.error().message().size(), 1000) << source;
        EXPECT_EQ(rendered.error().detail("param"), "") << source;
    }
}

}  // namespace
}  // namespace quire::prompts
