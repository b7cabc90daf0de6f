#pragma once

#include "base/result.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::config {

/// A configuration document as plain values, whatever it was written in. Scalars stay text; the
/// option they are for decides what they mean.
struct Node {
    enum class Kind { kNull, kScalar, kList, kMap };

    Kind kind = Kind::kNull;
    std::string scalar;
    bool is_quoted = false;  ///< the scalar: it is text, even where it looks like a number
    std::vector<Node> list;
    struct Entry;
    std::vector<Entry> map;  ///< in the order of the file
    int line = 0;            ///< 1-based; 0: not from a file
    std::string variable;    ///< the environment variable that set it, "" for a file's

    const Node* find(std::string_view key) const;
    Node& at_or_add(std::string_view key);
};

struct Node::Entry {
    std::string name;
    Node value;
};

/// Reads YAML (JSON is YAML). kInvalidValue with the line for syntax, duplicate keys, aliases, a
/// second document, more than 16 levels or 1 MiB.
Result<Node> parse_yaml(const std::string& text, const std::string& source);

/// The process environment by name, so that tests can hand in another one.
using Environment = std::map<std::string, std::string, std::less<>>;
Environment process_environment();

/// Puts QUIRE_SECTION__KEY=value over the document. Names of variables fold to lower case.
/// Variables in `reserved` (QUIRE_API_KEY and the like) are not settings.
void overlay_environment(Node& root, const Environment& environment,
                         const std::vector<std::string>& reserved);

}  // namespace quire::config
