#include "runtime/config/node.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <unistd.h>

namespace quire::config {
namespace {

constexpr std::size_t kBytesMax = 1 << 20;
constexpr int kDepthMax = 16;
constexpr std::string_view kPrefix = "QUIRE_";

Error at(const std::string& source, const YAML::Mark& mark, std::string_view what) {
    return {ErrorCode::kInvalidValue, fmt::format("{}:{}: {}", source, mark.line + 1, what)};
}

/// An alias can blow a small file up to gigabytes, and no setting needs one: the document is read
/// once for them before its tree is made.
class AliasRefuser final : public YAML::EventHandler {
public:
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
        throw YAML::ParserException(mark,
                                    "aliases (*name) are not read; quote the value if it is text");
    }
    void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
    void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  const std::string& /*value*/) override {}
    void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/,
                         YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/,
                    YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {}
    void OnMapEnd() override {}
};

Result<Node> convert(const YAML::Node& yaml, const std::string& source, int depth) {
    if (depth > kDepthMax) return at(source, yaml.Mark(), "nested deeper than 16 levels");
    Node node;
    node.line = yaml.Mark().line + 1;
    if (yaml.IsScalar()) {
        node.kind = Node::Kind::kScalar;
        node.scalar = yaml.Scalar();
        node.is_quoted = yaml.Tag() == "!";
    } else if (yaml.IsSequence()) {
        node.kind = Node::Kind::kList;
        for (const auto& item : yaml) {
            QUIRE_TRY(Node child, convert(item, source, depth + 1));
            node.list.push_back(std::move(child));
        }
    } else if (yaml.IsMap()) {
        node.kind = Node::Kind::kMap;
        for (const auto& entry : yaml) {
            if (!entry.first.IsScalar()) return at(source, entry.first.Mark(), "a key is not text");
            const std::string& key = entry.first.Scalar();
            if (node.find(key) != nullptr) {
                return at(source, entry.first.Mark(), fmt::format("'{}' stands twice", key));
            }
            QUIRE_TRY(Node child, convert(entry.second, source, depth + 1));
            node.map.push_back({key, std::move(child)});
        }
    }
    return node;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return out;
}

}  // namespace

const Node* Node::find(std::string_view key) const {
    for (const auto& [name, child] : map) {
        if (name == key) return &child;
    }
    return nullptr;
}

Node& Node::at_or_add(std::string_view key) {
    kind = Kind::kMap;
    for (auto& [name, child] : map) {
        if (name == key) return child;
    }
    return map.emplace_back(Entry{std::string(key), Node()}).value;
}

Result<Node> parse_yaml(const std::string& text, const std::string& source) {
    if (text.size() > kBytesMax) {
        return Error(ErrorCode::kInvalidValue, fmt::format("{}: larger than 1 MiB", source));
    }
    try {
        std::istringstream stream(text);
        YAML::Parser parser(stream);
        AliasRefuser refuser;
        parser.HandleNextDocument(refuser);
        if (parser.HandleNextDocument(refuser)) {
            return Error(
                ErrorCode::kInvalidValue,
                fmt::format("{}: a second document begins ('---'); what is behind it would "
                            "not be read",
                            source));
        }
        auto root = convert(YAML::Load(text), source, 0);
        if (root && root->kind == Node::Kind::kNull) root->kind = Node::Kind::kMap;
        return root;
    } catch (const YAML::Exception& e) {
        return at(source, e.mark, e.msg);
    }
}

Environment process_environment() {
    Environment environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

void overlay_environment(Node& root, const Environment& environment,
                         const std::vector<std::string>& reserved) {
    for (const auto& [name, value] : environment) {
        if (!name.starts_with(kPrefix)) continue;
        if (std::find(reserved.begin(), reserved.end(), name) != reserved.end()) continue;
        if (name.find("__") == std::string::npos) continue;
        std::string_view rest = std::string_view(name).substr(kPrefix.size());
        Node* node = &root;
        while (true) {
            const auto split = rest.find("__");
            node = &node->at_or_add(lower(rest.substr(0, split)));
            if (split == std::string_view::npos) break;
            rest.remove_prefix(split + 2);
        }
        *node = Node();
        node->kind = Node::Kind::kScalar;
        node->scalar = value;
        node->variable = name;
    }
}

}  // namespace quire::config
