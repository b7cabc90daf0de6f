#include "services/prompts/template/printing.hpp"

#include "services/prompts/template/characters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace quire::prompts {
namespace {

/// Writes values one after the other, and stops as soon as the text is too long: a list that holds
/// itself twice, level by level, is small in memory and endless in print.
class Printer {
public:
    Printer(Budget& budget, bool is_json) : budget_(budget), is_json_(is_json) {}

    Result<void> print(const Value& value);
    std::string& text() { return out_; }

private:
    void print_scalar(const Value& value);
    /// Pays for a thing and for what has been written of it since there were `before` bytes.
    Result<void> pay_since(std::size_t before);
    Result<void> print_sequence(const Sequence& sequence);
    Result<void> print_dict(const Dict& dict);
    void print_text(std::string_view text);
    void print_quoted(std::string_view text);
    void print_json_text(std::string_view text);
    void print_escape(char letter, int digits, std::uint32_t number);

    Budget& budget_;
    bool is_json_;
    std::string out_;
};

Result<void> Printer::print(const Value& value) {
    const std::size_t before = out_.size();
    if (const Undefined* undefined = as_undefined(value)) return error_of(*undefined);
    if (const Sequence* sequence = as_sequence(value)) return print_sequence(*sequence);
    if (const Dict* dict = as_dict(value)) return print_dict(*dict);
    if (const std::string* text = as_text(value)) {
        print_text(*text);
    } else {
        print_scalar(value);
    }
    return pay_since(before);
}

Result<void> Printer::pay_since(std::size_t before) {
    if (out_.size() > budget_.limits().output_bytes_max) return budget_.admit_text(out_.size());
    return budget_.spend_item(out_.size() - before);
}

void Printer::print_scalar(const Value& value) {
    if (std::holds_alternative<None>(value)) {
        out_ += is_json_ ? "null" : "None";
    } else if (const bool* flag = std::get_if<bool>(&value)) {
        if (is_json_) {
            out_ += *flag ? "true" : "false";
        } else {
            out_ += *flag ? "True" : "False";
        }
    } else if (const double* number = std::get_if<double>(&value)) {
        const bool is_word = is_json_ && !std::isfinite(*number);
        if (is_word) {
            out_ += std::isnan(*number) ? "NaN" : *number < 0 ? "-Infinity" : "Infinity";
        } else {
            out_ += float_text(*number);
        }
    } else {
        out_ += std::to_string(*as_integer(value));
    }
}

Result<void> Printer::print_sequence(const Sequence& sequence) {
    if (sequence.kind == SequenceKind::kIterator) {
        return template_error("unique and reverse give no list yet; add | list");
    }
    const bool is_plain =
        sequence.kind == SequenceKind::kList || sequence.kind == SequenceKind::kTuple;
    if (is_json_ && !is_plain)
        return template_error("only lists can be written as JSON; add | list");
    if (sequence.kind == SequenceKind::kRange) {
        out_ += sequence.label;
        return pay_since(out_.size() - sequence.label.size());
    }
    const bool is_tuple = sequence.kind == SequenceKind::kTuple && !is_json_;
    if (sequence.kind == SequenceKind::kItems) out_ += "dict_items(";
    out_ += is_tuple ? "(" : "[";
    bool is_first = true;
    for (const Value& item : sequence.items) {
        if (!std::exchange(is_first, false)) out_ += ", ";
        const auto done = print(item);
        if (!done) return done;
    }
    if (is_tuple && sequence.items.size() == 1) out_ += ",";
    out_ += is_tuple ? ")" : "]";
    if (sequence.kind == SequenceKind::kItems) out_ += ")";
    return pay_since(out_.size());
}

Result<void> Printer::print_dict(const Dict& dict) {
    // Before the keys are sorted.
    QUIRE_TRY([[maybe_unused]] const auto paid, budget_.spend(dict.members.size()));
    std::vector<std::size_t> order(dict.members.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (is_json_) {
        std::ranges::sort(order, {}, [&](std::size_t i) { return dict.members[i].first; });
    }
    out_ += "{";
    bool is_first = true;
    for (const std::size_t i : order) {
        if (!std::exchange(is_first, false)) out_ += ", ";
        const std::size_t before = out_.size();
        print_text(dict.members[i].first);
        out_ += ": ";
        auto done = budget_.spend_bytes(out_.size() - before);
        if (done) done = print(dict.members[i].second);
        if (!done) return done;
    }
    out_ += "}";
    return pay_since(out_.size());
}

void Printer::print_text(std::string_view text) {
    // It would only become longer: what is too long already need not be read.
    if (text.size() > budget_.limits().output_bytes_max) {
        out_ += text;
    } else if (is_json_) {
        print_json_text(text);
    } else {
        print_quoted(text);
    }
}

void Printer::print_quoted(std::string_view text) {
    const bool has_single = text.find('\'') != std::string_view::npos;
    const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
    out_ += quote;
    for (std::string_view character; !text.empty(); text.remove_prefix(character.size())) {
        character = first_character(text);
        const auto code_point = static_cast<std::uint32_t>(code_point_of(character));
        if (character[0] == quote || character[0] == '\\') {
            out_ += '\\';
            out_ += character;
        } else if (character == "\n") {
            out_ += "\\n";
        } else if (character == "\r") {
            out_ += "\\r";
        } else if (character == "\t") {
            out_ += "\\t";
        } else if (is_printable(code_point)) {
            out_ += character;
        } else if (code_point < 0x100) {
            print_escape('x', 2, code_point);
        } else if (code_point < 0x10000) {
            print_escape('u', 4, code_point);
        } else {
            print_escape('U', 8, code_point);
        }
    }
    out_ += quote;
}

void Printer::print_json_text(std::string_view text) {
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
    constexpr std::string_view kLetters = "\"\\bfnrt";
    constexpr std::string_view kUnsafeInHtml = "<>&'";
    out_ += '"';
    for (std::string_view character; !text.empty(); text.remove_prefix(character.size())) {
        character = first_character(text);
        const auto code_point = static_cast<std::uint32_t>(code_point_of(character));
        if (const auto at = kShort.find(character[0]); at != std::string_view::npos) {
            out_ += '\\';
            out_ += kLetters[at];
        } else if (code_point >= 0x10000) {
            const std::uint32_t rest = code_point - 0x10000;
            print_escape('u', 4, 0xD800 + (rest >> 10));
            print_escape('u', 4, 0xDC00 + (rest & 0x3FF));
        } else if (code_point < 0x20 || code_point > 0x7E ||
                   kUnsafeInHtml.find(character[0]) != std::string_view::npos) {
            print_escape('u', 4, code_point);
        } else {
            out_ += character;
        }
    }
    out_ += '"';
}

/// The number in hexadecimal digits, behind a backslash and the letter.
void Printer::print_escape(char letter, int digits, std::uint32_t number) {
    out_ += '\\';
    out_ += letter;
    while (--digits >= 0) out_ += "0123456789abcdef"[(number >> (4 * digits)) & 0xF];
}

}  // namespace

Result<std::string> printed(const Value& value, Budget& budget) {
    if (is_soft(value)) return std::string();
    if (const std::string* text = as_text(value)) {
        const auto within = budget.admit_text(text->size());
        if (!within) return within.error();
        return *text;
    }
    Printer printer(budget, false);
    const auto done = printer.print(value);
    if (!done) return done.error();
    return std::move(printer.text());
}

Result<std::string> json_printed(const Value& value, Budget& budget) {
    Printer printer(budget, true);
    const auto done = printer.print(value);
    if (!done) return done.error();
    return std::move(printer.text());
}

std::string float_text(double number) {
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::abs(number),
                                   std::chars_format::scientific)
                         .ptr;
    const std::string_view written(buffer, end);
    const std::size_t mark = written.find('e');
    std::string digits(written.substr(0, mark));
    std::erase(digits, '.');
    const int exponent = std::atoi(std::string(written.substr(mark + 1)).c_str());
    const std::string sign = std::signbit(number) ? "-" : "";
    const int count = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= 16) {
        const std::string fraction = count > 1 ? "." + digits.substr(1) : "";
        return fmt::format("{}{}{}e{}{:02}", sign, digits[0], fraction, exponent < 0 ? '-' : '+',
                           std::abs(exponent));
    }
    if (exponent < 0) return sign + "0." + std::string(-exponent - 1, '0') + digits;
    if (count <= exponent + 1) return sign + digits + std::string(exponent + 1 - count, '0') + ".0";
    return sign + digits.substr(0, exponent + 1) + "." + digits.substr(exponent + 1);
}

}  // namespace quire::prompts
