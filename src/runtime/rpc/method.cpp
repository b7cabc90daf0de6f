#include "runtime/rpc/method.hpp"

#include "runtime/config/suggestion.hpp"

#include <fmt/format.h>

namespace quire::rpc {

std::string Method::path() const { return fmt::format("/{}/{}", service, name); }

std::string Method::short_name() const {
    // quire.auth.v1.Auth -> auth
    const auto begin = service.find('.') + 1;
    return fmt::format("{}.{}", service.substr(begin, service.find('.', begin) - begin), name);
}

Result<void> check_access(const Method& method, const Principal& principal) {
    if (principal.is_operator || method.access == Access::kPublic) return {};
    if (method.access == Access::kScope) {
        if (principal.has_scope(method.scope)) return {};
        return Error(ErrorCode::kPermissionDenied,
                     fmt::format("the key needs the scope '{}'", method.scope))
            .with_detail("scope", std::string(method.scope));
    }
    return Error(ErrorCode::kPermissionDenied,
                 fmt::format("{} is not open to callers from outside", method.short_name()));
}

void MethodRegistry::add(std::vector<Method> methods) {
    for (Method& method : methods) methods_.push_back(std::move(method));
}

const Method* MethodRegistry::find(std::string_view path_or_name) const {
    for (const Method& method : methods_) {
        if (method.path() == path_or_name || method.short_name() == path_or_name) return &method;
    }
    return nullptr;
}

std::string MethodRegistry::closest(std::string_view name) const {
    std::vector<std::string> names;
    for (const Method& method : methods_) names.push_back(method.short_name());
    return config::closest_name(name, names);
}

}  // namespace quire::rpc
