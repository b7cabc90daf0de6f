#include "services/prompts/template/renderer.hpp"

#include "services/prompts/template/lexer.hpp"
#include "services/prompts/template/printing.hpp"

#include <fmt/format.h>

namespace quire::prompts {
namespace {

/// What a loop's body sees as `loop`.
Value loop_value(std::size_t at, std::size_t length) {
    auto loop = std::make_shared<Dict>();
    const auto number = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
    loop->members = {{"index", number(at + 1)},         {"index0", number(at)},
                     {"revindex", number(length - at)}, {"revindex0", number(length - at - 1)},
                     {"first", Value(at == 0)},         {"last", Value(at + 1 == length)},
                     {"length", number(length)}};
    return std::shared_ptr<const Dict>(std::move(loop));
}

Error placed(const Error& error, Position at) {
    return Error(error).in(fmt::format("line {}, column {}", at.line, at.column));
}

}  // namespace

Result<std::string> Renderer::run(const std::vector<Statement>& statements) {
    names_.open();
    const auto rendered = render(statements);
    names_.close();
    if (!rendered) return rendered.error();
    return std::exchange(out_, {});
}

Result<void> Renderer::render(const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) {
        const auto paid = budget_.spend(1);
        if (!paid) return placed(paid.error(), statement.at);
        const auto rendered = render_one(statement);
        if (!rendered) return rendered;
    }
    return {};
}

Result<void> Renderer::render_one(const Statement& statement) {
    switch (statement.kind) {
        case StatementKind::kText:
        case StatementKind::kPrint:
            break;
        case StatementKind::kIf:
            return render_if(statement);
        case StatementKind::kFor:
            return render_for(statement);
        case StatementKind::kSet: {
            QUIRE_TRY(const Value value, evaluator_.evaluate(*statement.value));
            return bind(statement, value);
        }
    }
    Result<std::string> text = statement.text;
    if (statement.value) {
        QUIRE_TRY(const Value value, evaluator_.evaluate(*statement.value));
        text = printed(value, budget_);
    }
    if (!text) return placed(text.error(), statement.at);
    const auto written = write(*text);
    if (!written) return placed(written.error(), statement.at);
    return {};
}

Result<void> Renderer::write(std::string_view text) {
    if (text.size() > budget_.limits().output_bytes_max - out_.size()) {
        return budget_.admit_text(budget_.limits().output_bytes_max + 1);
    }
    out_ += text;
    return budget_.spend_bytes(text.size());
}

Result<void> Renderer::render_if(const Statement& statement) {
    for (const Branch& branch : statement.branches) {
        if (branch.condition) {
            QUIRE_TRY(const bool truth, evaluator_.is_true_of(*branch.condition));
            if (!truth) continue;
        }
        return render(branch.body);
    }
    return {};
}

Result<void> Renderer::render_for(const Statement& statement) {
    QUIRE_TRY(const std::vector<Value> items, walked(statement));
    if (items.empty() && statement.branches.size() > 1) {
        names_.open();
        auto rendered = render(statement.branches[1].body);
        names_.close();
        return rendered;
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        // A scope for each turn: what one turn sets, the next does not see.
        names_.open();
        names_.bind("loop", loop_value(i, items.size()));
        auto rendered = bind(statement, items[i]);
        if (rendered) rendered = render(statement.branches[0].body);
        names_.close();
        if (!rendered) return rendered;
    }
    return {};
}

/// The items of the loop that its filter lets through.
Result<std::vector<Value>> Renderer::walked(const Statement& statement) {
    QUIRE_TRY(const Value value, evaluator_.evaluate(*statement.value));
    auto items = items_of(value, budget_);
    if (!items) return placed(items.error(), statement.value->at);
    if (!statement.filter) return items;
    std::vector<Value> kept;
    for (const Value& item : *items) {
        names_.open();
        const auto bound = bind(statement, item);
        auto truth = bound ? evaluator_.is_true_of(*statement.filter) : bound.error();
        names_.close();
        if (!truth) return truth.error();
        if (*truth) kept.push_back(item);
    }
    return kept;
}

Result<void> Renderer::bind(const Statement& statement, const Value& value) {
    const Targets& targets = statement.targets;
    for (const std::string& name : targets.names) {
        const auto paid = budget_.spend_bytes(name.size());
        if (!paid) return placed(paid.error(), statement.at);
    }
    if (!targets.is_tuple) {
        names_.bind(targets.names[0], value);
        return {};
    }
    const auto items = items_of(value, budget_);
    if (!items) return placed(items.error(), statement.at);
    if (items->size() != targets.names.size()) {
        return error_at(statement.at, fmt::format("{} names cannot take {} values",
                                                  targets.names.size(), items->size()));
    }
    for (std::size_t i = 0; i < items->size(); ++i) names_.bind(targets.names[i], (*items)[i]);
    return {};
}

}  // namespace quire::prompts
