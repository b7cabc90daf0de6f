#pragma once

#include "runtime/config/node.hpp"
#include "runtime/config/suggestion.hpp"
#include "runtime/config/values.hpp"
#include "runtime/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace quire::config {

/// One line of docs/reference/config.md.
struct OptionDoc {
    std::string key;
    std::string type;
    std::string default_text;
    std::string help;
};

/// A map in the order of the file, as `models:` needs it.
template <class T>
using Named = std::vector<std::pair<std::string, T>>;

/// Texts by name, in the order of the file.
using NamedTexts = std::vector<std::pair<std::string, std::string>>;

/// The settings of a struct T, each declared once: name, default (T's own), bounds, text. Parser,
/// `config print` and the reference page all come from it. Errors are kInvalidValue (a bad value,
/// with the good form) and kUnsupportedParameter (an unknown key, with a suggestion), with the path
/// of the key and its line.
template <class T>
class OptionTable {
public:
    void integer(std::string name, std::int64_t T::*field, std::int64_t min, std::int64_t max,
                 std::string help) {
        add(std::move(name), "integer", std::move(help),
            scalar_of(field,
                      [=](const auto& text) {
                          auto value = parse_integer(text);
                          return bounded(std::move(value), min, max,
                                         [](auto v) { return fmt::to_string(v); });
                      }),
            [=](const T& t) { return fmt::to_string(t.*field); });
    }
    void number(std::string name, double T::*field, double min, double max, std::string help) {
        add(std::move(name), "number", std::move(help),
            scalar_of(field,
                      [=](const auto& text) {
                          auto value = parse_number(text);
                          return bounded(std::move(value), min, max,
                                         [](auto v) { return fmt::to_string(v); });
                      }),
            [=](const T& t) { return fmt::to_string(t.*field); });
    }
    void duration(std::string name, std::chrono::milliseconds T::*field,
                  std::chrono::milliseconds min, std::chrono::milliseconds max, std::string help) {
        add(std::move(name), "duration", std::move(help),
            scalar_of(field,
                      [=](const auto& text) {
                          auto value = parse_duration(text);
                          return bounded(std::move(value), min, max, duration_text);
                      }),
            [=](const T& t) { return duration_text(t.*field); });
    }
    void boolean(std::string name, bool T::*field, std::string help) {
        add(std::move(name), "boolean", std::move(help),
            scalar_of(field, [](const auto& text) { return parse_bool(text); }),
            [=](const T& t) { return std::string(t.*field ? "true" : "false"); });
    }
    /// Free text that `check` (returns an Error or nothing) accepts.
    void text(std::string name, std::string T::*field, std::string help,
              std::function<Result<void>(const std::string&)> check = nullptr) {
        add(std::move(name), "text", std::move(help),
            scalar_of(field,
                      [check](const std::string& value) -> Result<std::string> {
                          if (check) {
                              const auto checked = check(value);
                              if (!checked) return checked.error();
                          }
                          return value;
                      }),
            [=](const T& t) { return t.*field; });
    }
    void choice(std::string name, std::string T::*field, std::vector<std::string> choices,
                std::string help) {
        const std::string listed = fmt::format("{}", fmt::join(choices, ", "));
        text(std::move(name), field, std::move(help),
             [choices = std::move(choices), listed](const std::string& value) -> Result<void> {
                 if (std::find(choices.begin(), choices.end(), value) != choices.end()) return {};
                 return Error(ErrorCode::kInvalidValue,
                              fmt::format("'{}' is none of {}", value, listed));
             });
        options_.back().doc.type = listed;
    }
    void secret(std::string name, SecretSetting T::*field, std::string help) {
        add(
            std::move(name), kSecretType, std::move(help),
            [field](T& t, const Node& node, const Environment& env) -> Result<void> {
                auto resolved = resolve_secret(node.scalar, env);
                if (!resolved) return resolved.error();
                t.*field = *std::move(resolved);
                return {};
            },
            [=](const T& t) { return (t.*field).reference; });
    }
    template <class Inner>
    void section(std::string name, Inner T::*field, OptionTable<Inner> table, std::string help) {
        Option option{{name, "section", "", std::move(help)}, Node::Kind::kMap};
        option.set = [field, table](T& t, const Node& node, const Environment& env) {
            return table.read(node, t.*field, env);
        };
        option.print = [field, table](const T& t, std::string& out, int indent) {
            table.print(t.*field, out, indent);
        };
        option.print_json = [field, table](const T& t, std::string& out) {
            table.print_json(t.*field, out);
        };
        option.document = [field, table, name](const T& defaults, std::vector<OptionDoc>& docs,
                                               const std::string& prefix) {
            table.document(defaults.*field, docs, prefix + name + ".");
        };
        options_.push_back(std::move(option));
    }
    template <class Inner>
    void map(std::string name, Named<Inner> T::*field, OptionTable<Inner> table, std::string help) {
        Option option{{name, "map of names", "", std::move(help)}, Node::Kind::kMap};
        option.set = [field, table](T& t, const Node& node,
                                    const Environment& env) -> Result<void> {
            for (const auto& [key, child] : node.map) {
                const auto read = read_named(t.*field, table, key, child, env);
                if (!read) return read;
            }
            return {};
        };
        option.print = [field, table](const T& t, std::string& out, int indent) {
            print_named(t.*field, table, out, indent);
        };
        option.print_json = [field, table](const T& t, std::string& out) {
            out += '{';
            print_named_json(t.*field, table, out);
            out += '}';
        };
        option.document = [table, name](const T& /*defaults*/, std::vector<OptionDoc>& docs,
                                        const std::string& prefix) {
            table.document(Inner{}, docs, prefix + name + ".NAME.");
        };
        options_.push_back(std::move(option));
    }
    /// Every key that is no other option of this table: named by whoever writes the file, and each
    /// with the settings of `table`. At most one per table, and declared last.
    template <class Inner>
    void others(std::string placeholder, Named<Inner> T::*field, OptionTable<Inner> table,
                std::string help) {
        Option option{{placeholder, "section", "", std::move(help)}, Node::Kind::kMap};
        others_ = [field, table](T& t, const std::string& key, const Node& node,
                                 const Environment& env) {
            return read_named(t.*field, table, key, node, env);
        };
        option.print = [field, table](const T& t, std::string& out, int indent) {
            print_named(t.*field, table, out, indent);
        };
        option.print_json = [field, table](const T& t, std::string& out) {
            print_named_json(t.*field, table, out);
        };
        option.document = [table, placeholder](const T& /*defaults*/, std::vector<OptionDoc>& docs,
                                               const std::string& prefix) {
            table.document(Inner{}, docs, prefix + placeholder + ".");
        };
        option.is_inline = true;
        options_.push_back(std::move(option));
    }
    /// A list of structs, each with the settings of `table`.
    template <class Inner>
    void list(std::string name, std::vector<Inner> T::*field, OptionTable<Inner> table,
              std::string help) {
        Option option{{name, "list", "", std::move(help)}, Node::Kind::kList};
        option.set = [field, table](T& t, const Node& node,
                                    const Environment& env) -> Result<void> {
            (t.*field).clear();
            for (const Node& item : node.list) {
                Inner inner;
                const auto read = table.read(item, inner, env);
                if (!read) return Error(read.error()).in(index_text((t.*field).size()));
                (t.*field).push_back(std::move(inner));
            }
            return {};
        };
        option.print = [field, table](const T& t, std::string& out, int indent) {
            for (const Inner& inner : t.*field) {
                const std::size_t dash = out.size() + indent;
                table.print(inner, out, indent + 2);
                if (out.size() > dash) out[dash] = '-';
            }
        };
        option.print_json = [field, table](const T& t, std::string& out) {
            char separator = '[';
            for (const Inner& inner : t.*field) {
                out += std::exchange(separator, ',');
                table.print_json(inner, out);
            }
            out += separator == '[' ? "[]" : "]";
        };
        option.document = [table, name](const T& /*defaults*/, std::vector<OptionDoc>& docs,
                                        const std::string& prefix) {
            table.document(Inner{}, docs, prefix + name + "[].");
        };
        options_.push_back(std::move(option));
    }
    /// A list of free texts.
    void texts(std::string name, std::vector<std::string> T::*field, std::string help) {
        Option option{{std::move(name), "list of texts", "", std::move(help)}, Node::Kind::kList};
        option.set = [field](T& t, const Node& node, const Environment&) -> Result<void> {
            (t.*field).clear();
            for (const Node& item : node.list) {
                if (item.kind != Node::Kind::kScalar) {
                    return expected(item, "a text").in(index_text((t.*field).size()));
                }
                (t.*field).push_back(item.scalar);
            }
            return {};
        };
        option.print = [field](const T& t, std::string& out, int indent) {
            for (const std::string& text : t.*field) {
                out += fmt::format("{:{}}- {}\n", "", indent, runtime::json_string(text));
            }
        };
        option.print_json = [field](const T& t, std::string& out) {
            char separator = '[';
            for (const std::string& text : t.*field) {
                out += std::exchange(separator, ',');
                out += runtime::json_string(text);
            }
            out += separator == '[' ? "[]" : "]";
        };
        options_.push_back(std::move(option));
    }
    /// A map of names to free texts.
    void text_map(std::string name, NamedTexts T::*field, std::string help) {
        scalar_map(
            std::move(name), "map of texts", field, std::move(help),
            [](const std::string& text) -> Result<std::string> { return text; },
            [](const std::string& text) { return runtime::json_string(text); });
    }
    /// A map of names to true or false.
    void boolean_map(std::string name, Named<bool> T::*field, std::string help) {
        scalar_map(
            std::move(name), "map of booleans", field, std::move(help),
            [](const std::string& text) { return parse_bool(text); },
            [](bool value) { return std::string(value ? "true" : "false"); });
    }

    /// Reads `node` over what `out` holds already.
    Result<void> read(const Node& node, T& out, const Environment& env) const {
        if (node.kind == Node::Kind::kNull) return {};
        if (node.kind != Node::Kind::kMap) {
            return Error(ErrorCode::kInvalidValue, "expected a map of settings");
        }
        for (const auto& [key, child] : node.map) {
            const Option* option = find(key);
            if (option == nullptr && others_) {
                const auto read_other = others_(out, key, child, env);
                if (!read_other) return read_other;
                continue;
            }
            if (option == nullptr) return unknown(key, child.line);
            const auto fits = check_kind(*option, child);
            if (!fits) return Error(fits.error()).in(key);
            const auto set = option->set(out, child, env);
            if (!set && !child.variable.empty()) return Error(set.error()).in(child.variable);
            if (!set) return Error(set.error()).in(key);
        }
        return {};
    }

    void print(const T& value, std::string& out, int indent) const {
        for (const Option& option : options_) {
            if (option.get) {
                const std::string shown = option.get(value);
                // An empty secret is one that was not given: to give it as "" would be an error.
                if (shown.empty() && option.doc.type == kSecretType) continue;
                out +=
                    fmt::format("{:{}}{}: {}\n", "", indent, option.doc.key, option.in_json(shown));
                continue;
            }
            if (option.is_inline) {
                option.print(value, out, indent);
                continue;
            }
            std::string inner;
            option.print(value, inner, indent + 2);
            if (inner.empty()) continue;
            out += fmt::format("{:{}}{}:\n{}", "", indent, option.doc.key, inner);
        }
    }

    /// The same as `print`, as a JSON object.
    void print_json(const T& value, std::string& out) const {
        char separator = '{';
        for (const Option& option : options_) {
            if (option.is_inline) {
                std::string inner;
                option.print_json(value, inner);
                if (!inner.empty()) out += std::exchange(separator, ',') + inner;
                continue;
            }
            out += fmt::format("{}\"{}\":", std::exchange(separator, ','), option.doc.key);
            if (!option.get) {
                option.print_json(value, out);
                continue;
            }
            out += option.in_json(option.get(value));
        }
        out += separator == '{' ? "{}" : "}";
    }

    /// The reference page's lines; `defaults` is what a missing file means.
    void document(const T& defaults, std::vector<OptionDoc>& docs,
                  const std::string& prefix) const {
        for (const Option& option : options_) {
            OptionDoc doc = option.doc;
            doc.key = prefix + doc.key;
            if (option.get) doc.default_text = option.get(defaults);
            docs.push_back(std::move(doc));
            if (option.document) option.document(defaults, docs, prefix);
        }
    }

private:
    using Set = std::function<Result<void>(T&, const Node&, const Environment&)>;
    static constexpr const char* kSecretType = "env:NAME or file:PATH";

    struct Option {
        OptionDoc doc;
        Node::Kind kind = Node::Kind::kScalar;
        Set set{};
        std::function<std::string(const T&)> get{};  ///< scalars only
        std::function<void(const T&, std::string&, int)> print{};
        std::function<void(const T&, std::string&)> print_json{};
        std::function<void(const T&, std::vector<OptionDoc>&, const std::string&)> document{};
        bool is_inline = false;  ///< `others`: prints entries of the table itself

        std::string in_json(const std::string& text) const {
            const bool is_raw =
                doc.type == "integer" || doc.type == "number" || doc.type == "boolean";
            return is_raw ? text : runtime::json_string(text);
        }
    };

    template <class Inner, class Parse, class Show>
    void scalar_map(std::string name, std::string type, Named<Inner> T::*field, std::string help,
                    Parse parse, Show show) {
        Option option{{std::move(name), std::move(type), "", std::move(help)}, Node::Kind::kMap};
        option.set = [field, parse](T& t, const Node& node, const Environment&) -> Result<void> {
            for (const auto& [key, child] : node.map) {
                if (child.kind != Node::Kind::kScalar) return expected(child, "a text").in(key);
                auto value = parse(child.scalar);
                if (!value) return Error(value.error()).in(key);
                (t.*field).emplace_back(key, *std::move(value));
            }
            return {};
        };
        option.print = [field, show](const T& t, std::string& out, int indent) {
            for (const auto& [key, value] : t.*field) {
                out += fmt::format("{:{}}{}: {}\n", "", indent, runtime::json_string(key),
                                   show(value));
            }
        };
        option.print_json = [field, show](const T& t, std::string& out) {
            char separator = '{';
            for (const auto& [key, value] : t.*field) {
                out += std::exchange(separator, ',');
                out += runtime::json_string(key) + ":" + show(value);
            }
            out += separator == '{' ? "{}" : "}";
        };
        options_.push_back(std::move(option));
    }

    void add(std::string name, std::string type, std::string help, Set set,
             std::function<std::string(const T&)> get) {
        Option option{{std::move(name), std::move(type), "", std::move(help)}};
        option.set = std::move(set);
        option.get = std::move(get);
        options_.push_back(std::move(option));
    }

    template <class Inner>
    static Result<void> read_named(Named<Inner>& out, const OptionTable<Inner>& table,
                                   const std::string& key, const Node& node,
                                   const Environment& env) {
        Inner inner;
        const auto read = table.read(node, inner, env);
        if (!read) return Error(read.error()).in(key);
        out.emplace_back(key, std::move(inner));
        return {};
    }
    template <class Inner>
    static void print_named(const Named<Inner>& entries, const OptionTable<Inner>& table,
                            std::string& out, int indent) {
        for (const auto& [key, inner] : entries) {
            out += fmt::format("{:{}}{}:\n", "", indent, name_text(key));
            table.print(inner, out, indent + 2);
        }
    }
    /// Quoted where YAML would read something else.
    static std::string name_text(const std::string& key) {
        const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
        const auto may_follow = [&](unsigned char c) {
            return is_plain(c) || c == '-' || c == '.' || c == '/';
        };
        const bool is_null = key == "null" || key == "Null" || key == "NULL";
        const bool is_name = !key.empty() && !is_null &&
                             is_plain(static_cast<unsigned char>(key.front())) &&
                             std::all_of(key.begin(), key.end(), may_follow);
        return is_name ? key : runtime::json_string(key);
    }
    template <class Inner>
    static void print_named_json(const Named<Inner>& entries, const OptionTable<Inner>& table,
                                 std::string& out) {
        for (const auto& [key, inner] : entries) {
            if (&inner != &entries.front().second) out += ',';
            out += runtime::json_string(key) + ":";
            table.print_json(inner, out);
        }
    }

    static std::string index_text(std::size_t index) { return fmt::format("[{}]", index); }

    static Error expected(const Node& node, std::string_view what) {
        return {ErrorCode::kInvalidValue, fmt::format("{}expected {}", line_text(node.line), what)};
    }

    template <class Field, class Parse>
    static Set scalar_of(Field T::*field, Parse parse) {
        return [field, parse](T& t, const Node& node, const Environment&) -> Result<void> {
            auto value = parse(node.scalar);
            if (!value) return value.error();
            t.*field = *std::move(value);
            return {};
        };
    }

    template <class V, class Show>
    static Result<V> bounded(Result<V> value, V min, V max, Show show) {
        if (!value || (*value >= min && *value <= max)) return value;
        return Error(ErrorCode::kInvalidValue, fmt::format("{} is not between {} and {}",
                                                           show(*value), show(min), show(max)));
    }

    const Option* find(std::string_view key) const {
        for (const Option& option : options_) {
            if (option.doc.key == key) return &option;
        }
        return nullptr;
    }

    static Result<void> check_kind(const Option& option, const Node& node) {
        if (node.kind == Node::Kind::kNull && !option.get) return {};
        if (node.kind == option.kind) return {};
        if (option.kind == Node::Kind::kList) return expected(node, "a list");
        return expected(node, option.get ? std::string_view(option.doc.type) : "a map of settings");
    }

    /// "" for what is from no file.
    static std::string line_text(int line) {
        return line > 0 ? fmt::format("line {}: ", line) : "";
    }

    Error unknown(const std::string& key, int line) const {
        std::vector<std::string> names;
        for (const Option& option : options_) names.push_back(option.doc.key);
        return {ErrorCode::kUnsupportedParameter,
                fmt::format("{}unknown setting '{}'; did you mean '{}'?", line_text(line), key,
                            closest_name(key, names))};
    }

    std::vector<Option> options_;
    std::function<Result<void>(T&, const std::string&, const Node&, const Environment&)> others_;
};

}  // namespace quire::config
