#include "services/prompts/template/template.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

namespace quire::prompts {
namespace {

using enum ErrorCode;

Result<std::string> render(std::string_view source, std::string_view variables = "{}",
                           const TemplateLimits& limits = {}) {
    QUIRE_TRY(const Template made, Template::compile(source, limits));
    return made.render(json::parse(variables).as_object());
}

std::string text_of(std::string_view source, std::string_view variables = "{}") {
    const auto rendered = render(source, variables);
    return rendered ? *rendered : rendered.error().message();
}

/// The message of the refusal.
std::string refusal(std::string_view source, std::string_view variables = "{}",
                    const TemplateLimits& limits = {}) {
    const auto rendered = render(source, variables, limits);
    if (rendered) return "rendered";
    EXPECT_EQ(rendered.error().code(), kTemplateError) << rendered.error().message();
    return rendered.error().message();
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += text;
    return out;
}

TEST(Template, FillsInVariables) {
    EXPECT_EQ(text_of("Hello {{ user.name | upper }}!", R"({"user": {"name": "Ada"}})"),
              "Hello ADA!");
}

TEST(Template, PrintsValuesAsPythonDoes) {
    EXPECT_EQ(text_of("{{ v }}", R"({"v": [null, true, 1.0, 1e16, "it's", {"a": "b"}]})"),
              R"([None, True, 1.0, 1e+16, "it's", {'a': 'b'}])");
}

TEST(Template, LeavesTagsInsideVariablesAlone) {
    EXPECT_EQ(text_of("{{ v }}{{ v | upper }}", R"({"v": "{{ x }}{% if %}"})"),
              "{{ x }}{% if %}{{ X }}{% IF %}");
}

TEST(Template, NamesTheVariableThatIsMissing) {
    struct Row {
        std::string_view source;
        std::string_view param;
    };
    for (const Row& row :
         {Row{"{{ topic }}", "/variables/topic"}, Row{"{{ user.name }}", "/variables/user/name"},
          Row{"{{ user['a/b'].c }}", "/variables/user/a~1b"},
          Row{"{{ user.tags[3] }}", "/variables/user/tags/3"},
          Row{"{% if topic %}{% endif %}", "/variables/topic"},
          Row{"{% for x in topic %}{% endfor %}", "/variables/topic"},
          Row{"{{ [topic] }}", "/variables/topic"},
          Row{"{% for u in [user] %}{{ u.name }}{% endfor %}", ""}}) {
        const auto rendered = render(row.source, R"({"user": {"tags": []}})");
        ASSERT_FALSE(rendered) << row.source;
        EXPECT_EQ(rendered.error().code(), kMissingVariable) << rendered.error().message();
        EXPECT_EQ(rendered.error().detail("param"), row.param) << row.source;
    }
}

TEST(Template, SaysWhereAndWhatIsWrong) {
    struct Row {
        std::string_view source;
        std::string_view message;
    };
    for (const Row& row : {
             Row{"a\nb {{ x | uper }}",
                 "line 2, column 10: there is no filter 'uper'; did you mean "
                 "'upper'?"},
             Row{"{{ x is strin }}", "column 9: there is no test 'strin'; did you mean 'string'?"},
             Row{"{% fro x in y %}", "column 4: there is no tag 'fro' here; did you mean 'for'?"},
             Row{"{% include 'x' %}", "the tag 'include' of Jinja is not supported here"},
             Row{"{{ now() }}", "there is no function 'now', only range"},
             Row{"{{ x.upper() }}", "'upper' cannot be called; only .items() can"},
             Row{"{{ x | trim(chras='a') }}", "the filter 'trim' has no argument 'chras'"},
             Row{"{{ x | replace('a') }}", "the filter 'replace' needs its argument 'new'"},
             Row{"ü {{ 'a", "line 1, column 6: this string has no end"},
             Row{"\n{% if x %}",
                 "line 2, column 4: this if has no end; close it with '{% endif %}'"},
             Row{"{{ \xff }}", "the template is no valid UTF-8"},
             Row{"{{ 9223372036854775807 + 1 }}", "the result has more than 64 bits"},
             Row{"{{ 1 + 'a' }}", "an integer + a text cannot be computed; join texts with ~"},
         }) {
        EXPECT_NE(refusal(row.source, R"({"x": "1"})").find(row.message), std::string::npos)
            << row.source << "\n"
            << refusal(row.source, R"({"x": "1"})");
    }
}

TEST(Template, RefusesALongSource) {
    EXPECT_NE(refusal(std::string(256 * 1024 + 1, 'a')).find("at most 262144"), std::string::npos);
}

TEST(Template, RefusesDeepNesting) {
    const std::string message = "nested in more than 32 levels";
    for (const std::string& source :
         {repeated("{% if 1 %}", 33) + repeated("{% endif %}", 33),
          "{{ " + repeated("(", 9000) + "1" + repeated(")", 9000) + " }}",
          "{{ " + repeated("[", 33) + repeated("]", 33) + " }}",
          "{{ " + repeated("not ", 33) + "1 }}", "{{ " + repeated("-", 40) + "1 }}",
          "{{ a" + repeated(".a", 33) + " }}", "{{ a" + repeated("|upper", 33) + " }}",
          "{{ " + repeated("1 if 1 else ", 9000) + "1 }}"}) {
        EXPECT_NE(refusal(source).find(message), std::string::npos) << source.substr(0, 30);
    }
}

TEST(Template, HasNoLimitOnLongChains) {
    EXPECT_EQ(text_of("{{ 1" + repeated(" + 1", 20'000) + " }}"), "20001");
    EXPECT_EQ(text_of("{% if 0 %}" + repeated("{% elif 0 %}", 1000) + "{% else %}a{% endif %}"),
              "a");
}

TEST(Template, EndsLongLoops) {
    const std::string_view steps = "more than 100000 steps";
    const std::string loop = "{% for a in range(10000) %}";
    EXPECT_NE(refusal(loop + loop + "{% endfor %}{% endfor %}").find(steps), std::string::npos);
    EXPECT_NE(refusal("{{ [0] * 200000 }}").find(steps), std::string::npos);
    EXPECT_NE(refusal("{{ range(10001) }}").find("at most 10000"), std::string::npos);
    EXPECT_NE(
        refusal("{{ range(0, -9223372036854775807, -9000000000000000000)[0:1] }}").find("sliced"),
        std::string::npos);
}

TEST(Template, EndsLongOutput) {
    const std::string_view message = "longer than 1048576 bytes";
    const std::string ten_mb = fmt::format(R"({{"v": "{}"}})", std::string(10 << 20, 'a'));
    EXPECT_NE(refusal("{{ v }}", ten_mb).find(message), std::string::npos);
    for (const std::string_view source :
         {"{{ 'a' * 9000000000000000000 }}", "{{ 'ab' * 600000 }}",
          "{% for i in range(2000) %}{{ 'a' * 600 }}{% endfor %}",
          "{% set a = 'x' * 1000000 %}{{ a ~ a }}", "{{ ('a' * 2000) | replace('', 'b' * 2000) }}",
          "{{ range(2000) | join('x' * 2000) }}"}) {
        EXPECT_NE(refusal(source).find(message), std::string::npos) << source << refusal(source);
    }
}

TEST(Template, RefusesToWalkThroughALongTextBeforeItTakesItApart) {
    const std::string long_text = fmt::format(R"({{"v": "{}"}})", std::string(1 << 20, 'a'));
    for (const std::string_view source : {"{% for c in v %}{% endfor %}", "{{ v | list }}",
                                          "{{ v | sort }}", "{{ v | reverse }}"}) {
        EXPECT_NE(refusal(source, long_text).find("more than 100000 steps"), std::string::npos)
            << source;
    }
    EXPECT_EQ(*render("{{ v | truncate(5) }}{{ v[:2] }}{{ v[-1] }}", long_text), "aa...aaa");
}

TEST(Template, EndsValuesThatGrowByDoubling) {
    const std::string doubled = repeated("{% set a = [a, a] %}", 40);
    for (const std::string_view use : {"{{ a }}", "{{ a ~ 1 }}", "{{ a | tojson }}"}) {
        EXPECT_NE(refusal("{% set a = 'xxxxxxxx' %}" + doubled + std::string(use)), "rendered")
            << use;
    }
    EXPECT_NE(refusal("{% set a = 1 %}" + doubled + "{% set b = 1 %}" +
                      repeated("{% set b = [b, b] %}", 40) + "{{ a == b }}"),
              "rendered");
    EXPECT_NE(refusal("{% set a = 1 %}" + repeated("{% set a = [a] %}", 70)).find("64 levels"),
              std::string::npos);
}

TEST(Template, TakesLimitsFromTheCaller) {
    EXPECT_NE(refusal("abc", "{}", {.output_bytes_max = 2}).find("longer than 2"),
              std::string::npos);
    EXPECT_NE(refusal("{{ 1234 }}", "{}", {.integer_digits_max = 3}).find("more than 3 digits"),
              std::string::npos);
}

TEST(Template, KnowsTheVariablesThatItReads) {
    const auto made = Template::compile(
        "{{ b }}{% set c = a %}{{ c }}{% for x in xs if y %}{{ x }}{{ loop.index }}{% endfor %}{{ "
        "b }}");
    ASSERT_TRUE(made);
    EXPECT_EQ(made->variables(), (std::vector<std::string>{"a", "b", "xs", "y"}));
}

TEST(Template, IsRenderedBySeveralThreadsAtOnce) {
    const auto made = Template::compile("{% for x in xs %}{{ x ~ ['a'] }}{% endfor %}");
    ASSERT_TRUE(made);
    const json::object variables = json::parse(R"({"xs": [1, 2]})").as_object();
    std::vector<std::thread> threads;
    std::atomic<int> right = 0;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, copy = *made] {
            for (int turn = 0; turn < 200; ++turn) {
                const auto rendered = copy.render(variables);
                right += rendered && *rendered == "1['a']2['a']";
            }
        });
    }
    for (std::thread& thread : threads) thread.join();

    EXPECT_EQ(right, 800);
}

}  // namespace
}  // namespace quire::prompts
