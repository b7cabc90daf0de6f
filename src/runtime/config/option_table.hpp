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
            std::move(name), "env:NAME or file:PATH", std::move(help),
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
        Option option{{name, "section", "", std::move(help)}, {}, {}, {}, {}, {}};
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
        Option option{{name, "map of names", "", std::move(help)}, {}, {}, {}, {}, {}};
        option.set = [field, table](T& t, const Node& node,
                                    const Environment& env) -> Result<void> {
            for (const auto& [key, child] : node.map) {
                Inner inner;
                const auto read = table.read(child, inner, env);
                if (!read) return Error(read.error()).in(key);
                (t.*field).emplace_back(key, std::move(inner));
            }
            return {};
        };
        option.print = [field, table](const T& t, std::string& out, int indent) {
            for (const auto& [key, inner] : t.*field) {
                out += fmt::format("{:{}}{}:\n", "", indent, key);
                table.print(inner, out, indent + 2);
            }
        };
        option.print_json = [field, table](const T& t, std::string& out) {
            out += '{';
            for (const auto& [key, inner] : t.*field) {
                if (out.back() != '{') out += ',';
                out += runtime::json_string(key) + ":";
                table.print_json(inner, out);
            }
            out += '}';
        };
        option.document = [table, name](const T& /*defaults*/, std::vector<OptionDoc>& docs,
                                        const std::string& prefix) {
            table.document(Inner{}, docs, prefix + name + ".NAME.");
        };
        options_.push_back(std::move(option));
    }

    /// Reads `node` over what `out` holds already.
    Result<void> read(const Node& node, T& out, const Environment& env) const {
        if (node.kind == Node::Kind::kNull) return {};
        if (node.kind != Node::Kind::kMap) {
            return Error(ErrorCode::kInvalidValue, "expected a map of settings");
        }
        for (const auto& [key, child] : node.map) {
            const Option* option = find(key);
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
                out += fmt::format("{:{}}{}: {}\n", "", indent, option.doc.key,
                                   runtime::json_string(option.get(value)));
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
            out += fmt::format("{}\"{}\":", std::exchange(separator, ','), option.doc.key);
            if (!option.get) {
                option.print_json(value, out);
                continue;
            }
            const std::string& type = option.doc.type;
            const bool is_raw = type == "integer" || type == "number" || type == "boolean";
            out += is_raw ? option.get(value) : runtime::json_string(option.get(value));
        }
        out += '}';
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
    struct Option {
        OptionDoc doc;
        Set set;
        std::function<std::string(const T&)> get;  ///< scalars only
        std::function<void(const T&, std::string&, int)> print;
        std::function<void(const T&, std::string&)> print_json;
        std::function<void(const T&, std::vector<OptionDoc>&, const std::string&)> document;
    };

    void add(std::string name, std::string type, std::string help, Set set,
             std::function<std::string(const T&)> get) {
        options_.push_back({{std::move(name), std::move(type), "", std::move(help)},
                            std::move(set),
                            std::move(get),
                            {},
                            {},
                            {}});
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
        const bool wants_scalar = option.get != nullptr;
        if ((node.kind == Node::Kind::kScalar) == wants_scalar &&
            (wants_scalar || node.kind == Node::Kind::kMap)) {
            return {};
        }
        return Error(ErrorCode::kInvalidValue,
                     fmt::format("{}expected {}", line_text(node.line),
                                 wants_scalar ? option.doc.type : "a map of settings"));
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
};

}  // namespace quire::config
