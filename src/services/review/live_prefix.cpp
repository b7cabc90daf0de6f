#include "services/review/live_prefix.hpp"

#include <fmt/format.h>

#include <memory>
#include <vector>

namespace quire::review {
namespace {

constexpr int kDepthMax = 50;

struct Node;
using Nodes = std::vector<Node>;

/// RE2's syntax as a tree; only what is needed to write it down again.
struct Node {
    enum class Kind { kCharacter, kAssertion, kSequence, kChoice, kRepeat, kGroup };

    Kind kind = Kind::kSequence;
    std::string text;  ///< a character or class as written; how a group opens
    Nodes children;
    int min = 0;  ///< of a repeat
    int max = 0;  ///< of a repeat; -1: without end
};

std::string whole(const Node& node);

std::string whole_of_all(const Nodes& nodes, std::string_view between) {
    std::string out;
    for (const Node& node : nodes) {
        if (&node != &nodes.front()) out += between;
        out += whole(node);
    }
    return out;
}

std::string whole(const Node& node) {
    switch (node.kind) {
        case Node::Kind::kCharacter:
            return node.text;
        case Node::Kind::kAssertion:
            return "(?:)";
        case Node::Kind::kSequence:
            return "(?:" + whole_of_all(node.children, "") + ")";
        case Node::Kind::kChoice:
            return "(?:" + whole_of_all(node.children, "|") + ")";
        case Node::Kind::kGroup:
            return node.text + whole_of_all(node.children, "") + ")";
        case Node::Kind::kRepeat:
            break;
    }
    const std::string max = node.max < 0 ? "" : fmt::to_string(node.max);
    return fmt::format("(?:{}){{{},{}}}", whole(node.children.front()), node.min, max);
}

std::string beginning(const Node& node);

/// From the last to the first: a beginning of the rest behind the whole of what stands before it.
std::string beginning_of_sequence(const Nodes& nodes) {
    std::string rest;
    for (std::size_t i = nodes.size(); i-- > 0;) {
        const Node& node = nodes[i];
        if (node.kind == Node::Kind::kAssertion) continue;
        if (node.kind == Node::Kind::kCharacter) {
            rest = fmt::format("(?:{}{})?", node.text, rest);
        } else if (rest.empty()) {
            rest = beginning(node);
        } else {
            rest = fmt::format("(?:{}|{}{})", beginning(node), whole(node), rest);
        }
    }
    return rest;
}

std::string beginning(const Node& node) {
    switch (node.kind) {
        case Node::Kind::kCharacter:
            return fmt::format("(?:{})?", node.text);
        case Node::Kind::kAssertion:
            return "(?:)";
        case Node::Kind::kSequence:
            return "(?:" + beginning_of_sequence(node.children) + ")";
        case Node::Kind::kGroup:
            return node.text + beginning(node.children.front()) + ")";
        case Node::Kind::kChoice: {
            std::string out = "(?:";
            for (const Node& child : node.children) {
                if (&child != &node.children.front()) out += '|';
                out += beginning(child);
            }
            return out + ")";
        }
        case Node::Kind::kRepeat:
            break;
    }
    if (node.max == 0) return "(?:)";
    const Node& child = node.children.front();
    const std::string before = node.max < 0 ? "" : fmt::to_string(node.max - 1);
    return fmt::format("(?:(?:{}){{0,{}}}{})", whole(child), before, beginning(child));
}

/// Knows the usual part of RE2's syntax and refuses the rest.
class Parser {
public:
    explicit Parser(std::string_view pattern) : left_(pattern) {}

    std::optional<Node> parse() {
        auto node = choice(0);
        if (!node || !left_.empty()) return std::nullopt;
        return node;
    }

private:
    using Kind = Node::Kind;

    std::optional<Node> choice(int depth) {
        if (depth > kDepthMax) return std::nullopt;
        Node node{Kind::kChoice, "", {}, 0, 0};
        do {
            auto one = sequence(depth);
            if (!one) return std::nullopt;
            node.children.push_back(*std::move(one));
        } while (skip("|"));
        return node;
    }

    std::optional<Node> sequence(int depth) {
        Node node;
        while (!left_.empty() && left_.front() != '|' && left_.front() != ')') {
            auto one = item(depth);
            if (!one || !repeat(*one)) return std::nullopt;
            node.children.push_back(*std::move(one));
        }
        return node;
    }

    std::optional<Node> item(int depth) {
        if (skip("(")) return group(depth);
        if (left_.front() == '[') return character(class_size());
        if (left_.front() == '\\') return escape();
        if (skip("^") || skip("$")) return Node{Kind::kAssertion, "", {}, 0, 0};
        if (std::string_view("*+?{").find(left_.front()) != std::string_view::npos) {
            return std::nullopt;
        }
        std::size_t size = 1;
        while (size < left_.size() && (static_cast<unsigned char>(left_[size]) & 0xC0) == 0x80) {
            ++size;
        }
        return character(size);
    }

    std::optional<Node> group(int depth) {
        std::string open = "(?:";
        if (skip("?P<") || skip("?<")) {
            const auto close = left_.find('>');
            if (close == std::string_view::npos) return std::nullopt;
            left_.remove_prefix(close + 1);
        } else if (skip("?")) {
            const auto end = left_.find_first_not_of("imsU-");
            if (end == std::string_view::npos) return std::nullopt;
            open = fmt::format("(?{}:", left_.substr(0, end));
            left_.remove_prefix(end);
            if (skip(")")) return rest_under(std::move(open), depth);
            if (!skip(":")) return std::nullopt;
        }
        auto inner = choice(depth + 1);
        if (!inner || !skip(")")) return std::nullopt;
        Node node{Kind::kGroup, std::move(open), {}, 0, 0};
        node.children.push_back(*std::move(inner));
        return node;
    }

    /// Flags such as (?i) hold up to the end of the group. They are understood as the first thing
    /// of the pattern only; elsewhere they reach over a `|`.
    std::optional<Node> rest_under(std::string open, int depth) {
        if (depth != 0 || !is_first_) return std::nullopt;
        is_first_ = false;
        auto inner = choice(depth + 1);
        if (!inner) return std::nullopt;
        Node node{Kind::kGroup, std::move(open), {}, 0, 0};
        node.children.push_back(*std::move(inner));
        return node;
    }

    std::optional<Node> escape() {
        if (left_.size() < 2) return std::nullopt;
        const char c = left_[1];
        if (std::string_view("bBAz").find(c) != std::string_view::npos) {
            left_.remove_prefix(2);
            return Node{Kind::kAssertion, "", {}, 0, 0};
        }
        if (c == 'p' || c == 'P' || c == 'x') return braced_escape();
        const bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
        if (is_word && std::string_view("dDwWsSafnrtv").find(c) == std::string_view::npos) {
            return std::nullopt;
        }
        return character(2);
    }

    std::optional<Node> braced_escape() {
        if (left_.size() > 2 && left_[2] == '{') {
            const auto close = left_.find('}');
            return close == std::string_view::npos ? std::nullopt : character(close + 1);
        }
        return character(left_[1] == 'x' ? 4 : 3);
    }

    /// Of the bracket expression at the front; 0 when it does not end.
    std::size_t class_size() const {
        std::size_t at = left_.substr(1).starts_with("^") ? 2 : 1;
        const std::size_t first = at;
        while (at < left_.size()) {
            if (left_[at] == ']' && at > first) return at + 1;
            if (left_.substr(at).starts_with("[:")) {
                const auto close = left_.find(":]", at);
                if (close == std::string_view::npos) return 0;
                at = close + 2;
                continue;
            }
            if (left_.substr(at).starts_with("\\Q")) return 0;
            at += left_[at] == '\\' ? 2 : 1;
        }
        return 0;
    }

    std::optional<Node> character(std::size_t size) {
        if (size == 0 || size > left_.size()) return std::nullopt;
        Node node{Kind::kCharacter, std::string(left_.substr(0, size)), {}, 0, 0};
        left_.remove_prefix(size);
        is_first_ = false;
        return node;
    }

    bool repeat(Node& node) {
        int min = 0;
        int max = -1;
        if (left_.empty()) return true;
        if (skip("?")) {
            max = 1;
        } else if (skip("+")) {
            min = 1;
        } else if (left_.front() == '{') {
            if (!bounds(min, max)) return false;
        } else if (!skip("*")) {
            return true;
        }
        skip("?");  // lazy: which of the matches is taken does not change what can match
        Node repeated{Kind::kRepeat, "", {}, min, max};
        repeated.children.push_back(std::move(node));
        node = std::move(repeated);
        return left_.empty() ||
               std::string_view("*+?{").find(left_.front()) == std::string_view::npos;
    }

    bool bounds(int& min, int& max) {
        left_.remove_prefix(1);
        if (!number(min)) return false;
        max = min;
        if (skip(",") && !number(max)) max = -1;
        return skip("}");
    }

    bool number(int& value) {
        const auto size = std::min(left_.find_first_not_of("0123456789"), left_.size());
        if (size == 0 || size > 4) return false;
        value = std::stoi(std::string(left_.substr(0, size)));
        left_.remove_prefix(size);
        return true;
    }

    bool skip(std::string_view text) {
        if (!left_.starts_with(text)) return false;
        left_.remove_prefix(text.size());
        return true;
    }

    std::string_view left_;
    bool is_first_ = true;
};

}  // namespace

std::optional<std::string> live_prefix_of(std::string_view pattern) {
    const auto node = Parser(pattern).parse();
    if (!node) return std::nullopt;
    return beginning(*node);
}

}  // namespace quire::review
