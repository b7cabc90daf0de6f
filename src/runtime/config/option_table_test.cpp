#include "runtime/config/option_table.hpp"

#include <gtest/gtest.h>

namespace quire::config {
namespace {

using namespace std::chrono_literals;

struct Price {
    std::int64_t input = 10;
};

struct Model {
    std::string provider = "sim";
    Price price;
    SecretSetting key;
};

struct Settings {
    std::int64_t retries = 2;
    double share = 0.5;
    std::chrono::milliseconds wait = 30s;
    bool is_open = false;
    std::string level = "info";
    std::string note = "a \"note\"";
    Named<Model> models;
};

OptionTable<Settings> table() {
    OptionTable<Price> price;
    price.integer("input", &Price::input, 0, 1'000, "Price of input.");
    OptionTable<Model> model;
    model.text("provider", &Model::provider, "Who runs it.", [](const auto& text) -> Result<void> {
        if (!text.empty()) return {};
        return Error(ErrorCode::kInvalidValue, "a provider has a name");
    });
    model.section("price", &Model::price, price, "What it costs.");
    model.secret("key", &Model::key, "The provider's key.");
    OptionTable<Settings> settings;
    settings.integer("retries", &Settings::retries, 0, 10, "How often.");
    settings.number("share", &Settings::share, 0, 1, "How much.");
    settings.duration("wait", &Settings::wait, 1s, 1h, "How long.");
    settings.boolean("is_open", &Settings::is_open, "Whether.");
    settings.choice("level", &Settings::level, {"debug", "info"}, "How loud.");
    settings.text("note", &Settings::note, "Anything.");
    settings.map("models", &Settings::models, model, "What is offered.");
    return settings;
}

Result<Settings> read(const std::string& yaml, const Environment& environment = {}) {
    QUIRE_TRY(const Node node, parse_yaml(yaml, "test.yaml"));
    Settings settings;
    const auto done = table().read(node, settings, environment);
    if (!done) return done.error();
    return settings;
}

TEST(OptionTable, LeavesDefaultsWhereNothingIsSaid) {
    const auto settings = read("retries: 3\nmodels:\n");

    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->retries, 3);
    EXPECT_EQ(settings->wait, 30s);
    EXPECT_TRUE(settings->models.empty());
}

TEST(OptionTable, ReadsEveryKindOfOption) {
    const auto settings = read(
        "retries: 0\nshare: 1\nwait: 5m\nis_open: true\nlevel: debug\nnote: ''\n"
        "models: {a: {provider: local, price: {input: 1000}, key: env:KEY}}\n",
        {{"KEY", "sk-1"}});

    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->retries, 0);
    EXPECT_EQ(settings->share, 1.0);
    EXPECT_EQ(settings->wait, 5min);
    EXPECT_TRUE(settings->is_open);
    EXPECT_EQ(settings->level, "debug");
    EXPECT_EQ(settings->note, "");
    ASSERT_EQ(settings->models.size(), 1u);
    EXPECT_EQ(settings->models[0].second.provider, "local");
    EXPECT_EQ(settings->models[0].second.price.input, 1'000);
    EXPECT_EQ(settings->models[0].second.key.value.reveal(), "sk-1");
}

TEST(OptionTable, KeepsMapsInTheOrderOfTheFile) {
    const auto settings = read("models: {zebra: {}, apple: {}, mango: ~}\n");

    ASSERT_TRUE(settings);
    ASSERT_EQ(settings->models.size(), 3u);
    EXPECT_EQ(settings->models[0].first, "zebra");
    EXPECT_EQ(settings->models[1].first, "apple");
    EXPECT_EQ(settings->models[2].first, "mango");
    EXPECT_EQ(settings->models[2].second.provider, "sim");
}

TEST(OptionTable, NamesAnUnknownKeyAndTheOneThatWasMeant) {
    struct Row {
        std::string yaml;
        std::string_view message;
    };
    for (const Row& row : {
             Row{"\nretry: 3\n", "line 2: unknown setting 'retry'; did you mean 'retries'?"},
             Row{"Retries: 3\n", "did you mean 'retries'?"},
             Row{"models: {a: {price: {imput: 1}}}\n",
                 "models: a: price: line 1: unknown setting "
                 "'imput'; did you mean 'input'?"},
         }) {
        const auto settings = read(row.yaml);

        ASSERT_FALSE(settings) << row.yaml;
        EXPECT_EQ(settings.error().code(), ErrorCode::kUnsupportedParameter) << row.yaml;
        EXPECT_NE(settings.error().message().find(row.message), std::string::npos)
            << settings.error().message();
    }
}

TEST(OptionTable, NamesABadValueAndAGoodOne) {
    struct Row {
        std::string yaml;
        std::string_view message;
    };
    for (const Row& row : {
             Row{"retries: 11\n", "retries: 11 is not between 0 and 10"},
             Row{"retries: -1\n", "retries: -1 is not between 0 and 10"},
             Row{"retries: two\n", "retries: 'two' is not a whole number"},
             Row{"retries: [1]\n", "retries: line 1: expected integer"},
             Row{"retries: ~\n", "retries: line 1: expected integer"},
             Row{"share: 1.5\n", "share: 1.5 is not between 0 and 1"},
             Row{"wait: 5 minutes\n", "wait: '5 minutes' is not a duration such as"},
             Row{"wait: 5\n", "wait: '5' is not a duration such as"},
             Row{"wait: 999ms\n", "wait: 999ms is not between 1s and 1h"},
             Row{"wait: 2h\n", "wait: 2h is not between 1s and 1h"},
             Row{"is_open: yes\n", "is_open: 'yes' is not true or false"},
             Row{"level: loud\n", "level: 'loud' is none of debug, info"},
             Row{"models: 5\n", "models: line 1: expected a map of settings"},
             Row{"models: [a]\n", "models: line 1: expected a map of settings"},
             Row{"models: {a: 5}\n", "models: a: expected a map of settings"},
             Row{"models: {a: {provider: ''}}\n", "models: a: provider: a provider has a name"},
             Row{"models: {a: {price: 5}}\n", "models: a: price: line 1: expected a map"},
             Row{"- 1\n", "expected a map of settings"},
             Row{"just text\n", "expected a map of settings"},
         }) {
        const auto settings = read(row.yaml);

        ASSERT_FALSE(settings) << row.yaml;
        EXPECT_EQ(settings.error().code(), ErrorCode::kInvalidValue) << row.yaml;
        EXPECT_TRUE(settings.error().message().starts_with(row.message))
            << settings.error().message();
    }
}

TEST(OptionTable, NamesTheSettingWhoseSecretIsMissing) {
    const auto settings = read("models: {a: {key: env:KEY}}\n");

    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().code(), ErrorCode::kMissingRequiredParameter);
    EXPECT_TRUE(settings.error().message().starts_with("models: a: key: "));
    EXPECT_NE(settings.error().message().find("KEY is not set"), std::string::npos);
}

TEST(OptionTable, SaysNoLineForWhatIsFromNoFile) {
    Node root;
    overlay_environment(root, {{"QUIRE_MODELS__A__PRICE", "5"}}, {});
    Settings settings;

    const auto done = table().read(root, settings, {});

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message().find("line 0"), std::string::npos) << done.error().message();
}

TEST(OptionTable, WhatItPrintsReadsBackTheSame) {
    const auto settings = read(
        "wait: 90s\nis_open: true\nnote: \"back\\\\slash\\nand: # more\"\n"
        "models: {a: {key: env:KEY, price: {input: 5}}, b: {key: env:KEY}}\n",
        {{"KEY", "sk-very-secret"}});
    ASSERT_TRUE(settings);

    std::string text;
    table().print(*settings, text, 0);
    const auto again = read(text, {{"KEY", "sk-1"}});

    EXPECT_EQ(text.find("very-secret"), std::string::npos) << text;
    ASSERT_TRUE(again) << text << again.error().message();
    EXPECT_EQ(again->wait, 90s);
    EXPECT_TRUE(again->is_open);
    EXPECT_EQ(again->note, "back\\slash\nand: # more");
    ASSERT_EQ(again->models.size(), 2u);
    EXPECT_EQ(again->models[0].second.price.input, 5);
    EXPECT_EQ(again->models[1].second.key.reference, "env:KEY");
}

TEST(OptionTable, DocumentsEverySettingWithItsDefault) {
    std::vector<OptionDoc> docs;

    table().document(Settings{}, docs, "");

    std::string shown;
    for (const OptionDoc& doc : docs) {
        shown += fmt::format("{} | {} | {} | {}\n", doc.key, doc.type, doc.default_text, doc.help);
    }
    EXPECT_EQ(shown,
              "retries | integer | 2 | How often.\n"
              "share | number | 0.5 | How much.\n"
              "wait | duration | 30s | How long.\n"
              "is_open | boolean | false | Whether.\n"
              "level | debug, info | info | How loud.\n"
              "note | text | a \"note\" | Anything.\n"
              "models | map of names |  | What is offered.\n"
              "models.NAME.provider | text | sim | Who runs it.\n"
              "models.NAME.price | section |  | What it costs.\n"
              "models.NAME.price.input | integer | 10 | Price of input.\n"
              "models.NAME.key | env:NAME or file:PATH |  | The provider's key.\n");
}

struct Rule {
    std::string name;
    std::vector<std::string> values;
};

struct Policy {
    std::vector<Rule> rules;
};

struct Book {
    NamedTexts owners;
    Named<Policy> policies;
};

OptionTable<Book> book_table() {
    OptionTable<Rule> rule;
    rule.text("name", &Rule::name, "Its name.");
    rule.texts("values", &Rule::values, "What it finds.");
    OptionTable<Policy> policy;
    policy.list("rules", &Policy::rules, rule, "In their order.");
    OptionTable<Book> book;
    book.text_map("owners", &Book::owners, "Whose.");
    book.others("POLICY", &Book::policies, policy, "By name.");
    return book;
}

Result<Book> read_book(const std::string& yaml) {
    QUIRE_TRY(const Node node, parse_yaml(yaml, "test.yaml"));
    Book book;
    const auto done = book_table().read(node, book, {});
    if (!done) return done.error();
    return book;
}

constexpr const char* kBook =
    "owners: {prj_1: strict}\n"
    "strict: {rules: [{name: one, values: [a, 'b: c']}, {name: two}]}\n"
    "loose: {}\n";

TEST(OptionTable, ReadsListsAndNamesOfTheWritersChoice) {
    const auto book = read_book(kBook);

    ASSERT_TRUE(book);
    EXPECT_EQ(book->owners, (NamedTexts{{"prj_1", "strict"}}));
    ASSERT_EQ(book->policies.size(), 2u);
    EXPECT_EQ(book->policies[0].first, "strict");
    ASSERT_EQ(book->policies[0].second.rules.size(), 2u);
    EXPECT_EQ(book->policies[0].second.rules[0].values, (std::vector<std::string>{"a", "b: c"}));
    EXPECT_EQ(book->policies[0].second.rules[1].name, "two");
    EXPECT_EQ(book->policies[1].first, "loose");
}

TEST(OptionTable, PrintsListsSoThatTheyCanBeReadAgain) {
    const auto book = read_book(kBook);
    ASSERT_TRUE(book);
    std::string yaml;
    book_table().print(*book, yaml, 0);
    std::string json;
    book_table().print_json(*book, json);

    for (const std::string& printed : {yaml, json}) {
        const auto again = read_book(printed);
        ASSERT_TRUE(again) << printed;
        std::string second;
        book_table().print(*again, second, 0);
        EXPECT_EQ(second, yaml) << printed;
    }
    EXPECT_EQ(json, R"({"owners":{"prj_1":"strict"},"strict":{"rules":[{"name":"one","values":)"
                    R"(["a","b: c"]},{"name":"two","values":[]}]},"loose":{"rules":[]}})");
}

TEST(OptionTable, NamesThePlaceWithinAList) {
    struct Row {
        std::string yaml;
        std::string_view message;
    };
    for (const Row& row : {
             Row{"strict: {rules: {name: x}}\n", "strict: rules: line 1: expected a list"},
             Row{"strict: {rules: [{}, {name: []}]}\n",
                 "strict: rules: [1]: name: line 1: expected text"},
             Row{"strict: {rules: [x]}\n", "strict: rules: [0]: expected a map of settings"},
             Row{"strict: {rules: [{values: [a, {}]}]}\n",
                 "strict: rules: [0]: values: [1]: line 1: expected a text"},
             Row{"strict: {rule: []}\n", "strict: line 1: unknown setting 'rule'"},
             Row{"owners: {prj_1: [a]}\n", "owners: prj_1: line 1: expected a text"},
             Row{"strict: x\n", "strict: expected a map of settings"},
         }) {
        const auto book = read_book(row.yaml);

        ASSERT_FALSE(book) << row.yaml;
        EXPECT_TRUE(book.error().message().starts_with(row.message)) << book.error().message();
    }
}

TEST(OptionTable, DocumentsListsAndNamesOfTheWritersChoice) {
    std::vector<OptionDoc> docs;
    book_table().document(Book(), docs, "review.");
    std::vector<std::string> keys;
    for (const OptionDoc& doc : docs) keys.push_back(doc.key);

    EXPECT_EQ(keys, (std::vector<std::string>{"review.owners", "review.POLICY",
                                              "review.POLICY.rules", "review.POLICY.rules[].name",
                                              "review.POLICY.rules[].values"}));
}

}  // namespace
}  // namespace quire::config
