#include "runtime/config/node.hpp"

#include <gtest/gtest.h>

namespace quire::config {
namespace {

Node parsed(const std::string& text) {
    auto node = parse_yaml(text, "test.yaml");
    EXPECT_TRUE(node) << text << "\n" << node.error().message();
    return node ? *std::move(node) : Node();
}

std::string scalar_at(const Node& root, std::initializer_list<std::string_view> path) {
    const Node* node = &root;
    for (const std::string_view key : path) {
        node = node->find(key);
        if (node == nullptr) return "(absent)";
    }
    return node->scalar;
}

TEST(ParseYaml, KeepsScalarsAsTheyAreWritten) {
    const Node root = parsed(
        "a: 010\n"
        "b: yes\n"
        "c: 1e3\n"
        "d: \"quoted: \\\"x\\\"\"\n"
        "e: 'it''s'\n"
        "f: |\n  two\n  lines\n");

    EXPECT_EQ(scalar_at(root, {"a"}), "010");
    EXPECT_EQ(scalar_at(root, {"b"}), "yes");
    EXPECT_EQ(scalar_at(root, {"c"}), "1e3");
    EXPECT_EQ(scalar_at(root, {"d"}), "quoted: \"x\"");
    EXPECT_EQ(scalar_at(root, {"e"}), "it's");
    EXPECT_EQ(scalar_at(root, {"f"}), "two\nlines\n");
}

TEST(ParseYaml, ReadsJson) {
    const Node root =
        parsed(R"({"models": {"writer": {"price": {"input": 150000}}}, "l": [1, 2]})");

    EXPECT_EQ(scalar_at(root, {"models", "writer", "price", "input"}), "150000");
    ASSERT_NE(root.find("l"), nullptr);
    ASSERT_EQ(root.find("l")->kind, Node::Kind::kList);
    EXPECT_EQ(root.find("l")->list.at(1).scalar, "2");
}

TEST(ParseYaml, KeepsTheOrderAndTheLinesOfTheFile) {
    const Node root = parsed("zebra: 1\n\napple:\n  x: 2\nmango: 3\n");

    ASSERT_EQ(root.map.size(), 3u);
    EXPECT_EQ(root.map[0].name, "zebra");
    EXPECT_EQ(root.map[1].name, "apple");
    EXPECT_EQ(root.map[2].name, "mango");
    EXPECT_EQ(root.map[0].value.line, 1);
    EXPECT_EQ(root.find("apple")->find("x")->line, 4);
    EXPECT_EQ(root.map[2].value.line, 5);
}

TEST(ParseYaml, AnEmptyDocumentIsAnEmptyMap) {
    for (const std::string text : {"", "\n", "# only a comment\n", "---\n", "~"}) {
        const Node root = parsed(text);

        EXPECT_EQ(root.kind, Node::Kind::kMap) << text;
        EXPECT_TRUE(root.map.empty()) << text;
    }
}

TEST(ParseYaml, TellsNothingFromAnEmptyText) {
    const Node root = parsed("a:\nb: ''\nc: null\nd: 'null'\n");

    EXPECT_EQ(root.find("a")->kind, Node::Kind::kNull);
    EXPECT_EQ(root.find("b")->kind, Node::Kind::kScalar);
    EXPECT_EQ(root.find("c")->kind, Node::Kind::kNull);
    EXPECT_EQ(root.find("d")->kind, Node::Kind::kScalar);
}

TEST(ParseYaml, RefusesBadDocumentsWithFileAndLine) {
    struct Row {
        std::string text;
        std::string_view where;
    };
    for (const Row& row : {
             Row{"a: 1\nb: [1, 2\n", "test.yaml:"},
             Row{"a: 1\n\tb: 2\n", "test.yaml:2:"},
             Row{"a: 1\n---\nb: 2\n", "test.yaml: a second document begins"},
             Row{"a: 1\n---\n- [", "test.yaml:"},
             Row{"a: 1\nb: 2\na: 3\n", "test.yaml:3: 'a' stands twice"},
             Row{"x:\n  a: 1\n  a: 1\n", "test.yaml:3: 'a' stands twice"},
             Row{"a: 1\n? [x]\n: 2\n", "test.yaml:2: a key is not text"},
             Row{"a: &x 1\nb: *x\n", "test.yaml:2: aliases"},
             Row{"a: &x 1\nb: [1,*x]\n", "test.yaml:2: aliases"},
             Row{"a: &x 1\nb:\n- *x\n", "test.yaml:3: aliases"},
             Row{"a: &x {y: 1}\nb:\n  <<: *x\n", "test.yaml:3: aliases"},
             Row{"a: *x\n", "test.yaml:1: "},
         }) {
        const auto node = parse_yaml(row.text, "test.yaml");

        ASSERT_FALSE(node) << row.text;
        EXPECT_EQ(node.error().code(), ErrorCode::kInvalidValue) << row.text;
        EXPECT_TRUE(node.error().message().starts_with(row.where)) << node.error().message();
    }
}

TEST(ParseYaml, AStarInTextIsNoAlias) {
    const Node root = parsed(
        "a: \"write *nicely* and [*well*]\"\n"
        "b: two *stars* in plain text\n"
        "c: |\n  - *not an alias\n"
        "# nor *here\n");

    EXPECT_EQ(scalar_at(root, {"a"}), "write *nicely* and [*well*]");
    EXPECT_EQ(scalar_at(root, {"b"}), "two *stars* in plain text");
    EXPECT_EQ(scalar_at(root, {"c"}), "- *not an alias\n");
}

TEST(ParseYaml, LimitsDepthAndSize) {
    const auto nested = [](std::size_t levels) {
        return std::string(levels, '[') + "x" + std::string(levels, ']');
    };
    EXPECT_TRUE(parse_yaml(nested(16), "test.yaml"));

    for (const std::string& text :
         {nested(17), nested(100'000), std::string(100'000, '['), std::string(100'000, '{'),
          "a: " + std::string((1 << 20) - 2, 'x')}) {
        EXPECT_FALSE(parse_yaml(text, "test.yaml")) << text.size();
    }
}

TEST(OverlayEnvironment, PutsVariablesOverTheFile) {
    Node root = parsed("limits: {connect: 1s, retries: 2}\n");

    overlay_environment(root,
                        {{"QUIRE_LIMITS__CONNECT", "9s"},
                         {"QUIRE_MODELS__WRITER__PRICE__INPUT", "7"},
                         {"HOME", "/root"},
                         {"OTHER_LIMITS__RETRIES", "5"}},
                        {});

    EXPECT_EQ(scalar_at(root, {"limits", "connect"}), "9s");
    EXPECT_EQ(scalar_at(root, {"limits", "retries"}), "2");
    EXPECT_EQ(scalar_at(root, {"models", "writer", "price", "input"}), "7");
    EXPECT_EQ(root.map.size(), 2u);
}

TEST(OverlayEnvironment, LeavesReservedAndPlainNamesAlone) {
    Node root;

    overlay_environment(root, {{"QUIRE_API_KEY", "x"}, {"QUIRE_A__B", "x"}, {"QUIRE_HOME", "x"}},
                        {"QUIRE_API_KEY", "QUIRE_A__B"});

    EXPECT_TRUE(root.map.empty());
}

TEST(OverlayEnvironment, TurnsAScalarIntoASectionWhenItMust) {
    Node root = parsed("limits: {connect: 1s}\n");

    overlay_environment(root, {{"QUIRE_LIMITS__CONNECT__X", "1"}}, {});

    EXPECT_EQ(scalar_at(root, {"limits", "connect", "x"}), "1");
    EXPECT_EQ(root.find("limits")->find("connect")->kind, Node::Kind::kMap);
}

TEST(ProcessEnvironment, HoldsThePath) { EXPECT_TRUE(process_environment().contains("PATH")); }

}  // namespace
}  // namespace quire::config
