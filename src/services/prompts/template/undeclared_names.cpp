#include "services/prompts/template/undeclared_names.hpp"

#include <map>
#include <set>

namespace quire::prompts {
namespace {

enum class Source {
    kCaller,    ///< taken from the variables
    kTemplate,  ///< set here, or in a scope around this one
};

/// What is known of the names of one scope. Each way through an `if` has one too, which holds only
/// what that way adds to the one before it.
struct Scope {
    const Scope* parent = nullptr;
    const Scope* before = nullptr;
    std::map<std::string, Source> names;
    std::set<std::string> stores;

    bool knows_itself(const std::string& name) const {
        return names.contains(name) || (before != nullptr && before->knows_itself(name));
    }
    bool knows(const std::string& name) const {
        return knows_itself(name) || (parent != nullptr && parent->knows(name));
    }
    bool stores_name(const std::string& name) const {
        return stores.contains(name) || (before != nullptr && before->stores_name(name));
    }
};

class NameFinder {
public:
    void visit_scope(const Scope* parent, const std::vector<std::string>& bound,
                     const std::vector<const Expression*>& expressions,
                     const std::vector<Statement>& body);

    std::set<std::string> found;

private:
    void load(const std::string& name);
    void store(const std::string& name);
    void visit(const Expression* expression);
    void visit(const std::vector<Statement>& statements);
    void visit_if(const std::vector<Branch>& branches, std::size_t first);
    void merge(const std::vector<Scope>& ways);

    Scope* scope_ = nullptr;
};

void visit_loops(NameFinder& finder, const Scope& scope, const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) {
        if (statement.kind == StatementKind::kIf) {
            for (const Branch& branch : statement.branches) {
                visit_loops(finder, scope, branch.body);
            }
        }
        if (statement.kind != StatementKind::kFor) continue;
        if (statement.filter) {
            finder.visit_scope(&scope, statement.targets.names, {statement.filter.get()}, {});
        }
        std::vector<std::string> bound = statement.targets.names;
        bound.emplace_back("loop");
        finder.visit_scope(&scope, bound, {}, statement.branches[0].body);
        if (statement.branches.size() > 1) {
            finder.visit_scope(&scope, {}, {}, statement.branches[1].body);
        }
    }
}

/// Loops are scopes of their own: they are visited when all of the scope around them is known.
void NameFinder::visit_scope(const Scope* parent, const std::vector<std::string>& bound,
                             const std::vector<const Expression*>& expressions,
                             const std::vector<Statement>& body) {
    Scope scope;
    scope.parent = parent;
    for (const std::string& name : bound) {
        scope.names[name] = Source::kTemplate;
        scope.stores.insert(name);
    }
    scope_ = &scope;
    for (const Expression* expression : expressions) visit(expression);
    visit(body);
    for (const auto& [name, source] : scope.names) {
        if (source == Source::kCaller) found.insert(name);
    }
    visit_loops(*this, scope, body);
}

void NameFinder::load(const std::string& name) {
    if (!scope_->knows(name)) scope_->names[name] = Source::kCaller;
}

void NameFinder::store(const std::string& name) {
    scope_->stores.insert(name);
    if (!scope_->knows_itself(name)) scope_->names[name] = Source::kTemplate;
}

void NameFinder::visit(const Expression* expression) {
    if (expression == nullptr) return;
    if (expression->kind == ExpressionKind::kName) load(expression->name);
    for (const ExpressionPtr& part : expression->parts) visit(part.get());
}

void NameFinder::visit(const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) {
        visit(statement.value.get());
        if (statement.kind == StatementKind::kIf) visit_if(statement.branches, 0);
        if (statement.kind != StatementKind::kSet) continue;
        for (const std::string& name : statement.targets.names) store(name);
    }
}

/// Three ways, as jinja2 counts them: the body, all elifs one after the other, and the else.
void NameFinder::visit_if(const std::vector<Branch>& branches, std::size_t first) {
    visit(branches[first].condition.get());
    Scope* const before = scope_;
    std::vector<Scope> ways(3, Scope{before->parent, before, {}, {}});
    scope_ = &ways[0];
    visit(branches[first].body);
    for (std::size_t i = first + 1; i < branches.size() && first == 0; ++i) {
        const bool is_else = branches[i].condition == nullptr;
        scope_ = is_else ? &ways[2] : &ways[1];
        if (is_else) {
            visit(branches[i].body);
        } else {
            visit_if(branches, i);
        }
    }
    scope_ = before;
    merge(ways);
}

void NameFinder::merge(const std::vector<Scope>& ways) {
    std::map<std::string, std::size_t> counts;
    for (const Scope& way : ways) {
        for (const std::string& name : way.stores) {
            if (!scope_->stores_name(name)) ++counts[name];
        }
    }
    for (const Scope& way : ways) {
        for (const auto& [name, source] : way.names) scope_->names[name] = source;
        scope_->stores.insert(way.stores.begin(), way.stores.end());
    }
    for (const auto& [name, count] : counts) {
        if (count == ways.size()) continue;
        const bool is_outer = scope_->parent != nullptr && scope_->parent->knows(name);
        scope_->names[name] = is_outer ? Source::kTemplate : Source::kCaller;
    }
}

}  // namespace

std::vector<std::string> undeclared_names(const std::vector<Statement>& statements) {
    NameFinder finder;
    finder.visit_scope(nullptr, {}, {}, statements);
    return {finder.found.begin(), finder.found.end()};
}

}  // namespace quire::prompts
