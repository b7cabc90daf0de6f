#include "contract_files.hpp"

#include "quire/options/v1/options.pb.h"

#include <fmt/format.h>

#include <vector>

namespace quire::generator {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
namespace options = quire::options::v1;

constexpr const char* kNotice = "// Generated from {}. Do not edit.\n#pragma once\n\n";

std::string snake_case(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        if (is_upper && !out.empty()) out += '_';
        out += is_upper ? static_cast<char>(c + 32) : c;
    }
    return out;
}

/// quire.auth.v1.Key -> ::quire::auth::v1::Key
std::string cpp_type(const Descriptor& message) {
    std::string out = "::";
    for (const char c : message.full_name()) {
        if (c == '.') {
            out += "::";
        } else {
            out += c;
        }
    }
    return out;
}

/// quire.auth.v1 -> auth
std::string short_package(const FileDescriptor& file) {
    const std::string& package = file.package();
    const auto begin = package.find('.') + 1;
    return package.substr(begin, package.find('.', begin) - begin);
}

std::string folder_of(const FileDescriptor& file) {
    return file.name().substr(0, file.name().rfind('/'));
}

bool is_two_way(const MethodDescriptor& method) {
    return method.client_streaming() && method.server_streaming();
}

std::string return_type(const MethodDescriptor& method) {
    const std::string in = cpp_type(*method.input_type());
    const std::string out = cpp_type(*method.output_type());
    if (is_two_way(method)) {
        return fmt::format("awaitable<Result<std::unique_ptr<rpc::Session<{}, {}>>>>", in, out);
    }
    if (method.server_streaming()) return "awaitable<Result<void>>";
    return fmt::format("awaitable<Result<{}>>", out);
}

std::string parameters(const MethodDescriptor& method, bool is_named) {
    const auto name = [&](const char* text) { return is_named ? std::string(" ") + text : ""; };
    std::string list = fmt::format("const rpc::CallContext&{}", name("ctx"));
    if (is_two_way(method)) return list;
    list += fmt::format(", const {}&{}", cpp_type(*method.input_type()), name("request"));
    if (method.server_streaming()) {
        list += fmt::format(", rpc::Sink<{}>&{}", cpp_type(*method.output_type()), name("sink"));
    }
    return list;
}

std::string arguments(const MethodDescriptor& method) {
    if (is_two_way(method)) return "ctx";
    return method.server_streaming() ? "ctx, request, sink" : "ctx, request";
}

std::vector<const MethodDescriptor*> methods_of(const ServiceDescriptor& service) {
    std::vector<const MethodDescriptor*> methods;
    for (int i = 0; i < service.method_count(); ++i) methods.push_back(service.method(i));
    return methods;
}

/// The .proto comment above a method, as the port's documentation.
std::string comment_of(const MethodDescriptor& method) {
    google::protobuf::SourceLocation location;
    std::string out;
    if (!method.GetSourceLocation(&location)) return out;
    std::string line;
    for (const char c : location.leading_comments) {
        if (c != '\n') {
            line += c;
            continue;
        }
        out += fmt::format("    ///{}\n", line);
        line.clear();
    }
    return out;
}

std::string access_name(options::Access access) {
    switch (access) {
        case options::PUBLIC:
            return "kPublic";
        case options::SCOPE:
            return "kScope";
        case options::INTERNAL:
            return "kInternal";
        default:
            return "kOperator";
    }
}

}  // namespace

std::optional<std::string> find_fault(const FileDescriptor& file) {
    if (file.service_count() != 1) return file.name() + ": a contract declares one service";
    for (const MethodDescriptor* method : methods_of(*file.service(0))) {
        const options::Rule& rule = method->options().GetExtension(options::rule);
        if (rule.access() == options::ACCESS_UNSPECIFIED) {
            return method->full_name() +
                   ": says nothing about who may call it; add option (quire.options.v1.rule) = "
                   "{access: SCOPE, scope: \"…\"}";
        }
        if ((rule.access() == options::SCOPE) == rule.scope().empty()) {
            return method->full_name() + ": access SCOPE and a scope go together";
        }
        if (method->client_streaming() && !method->server_streaming()) {
            return method->full_name() + ": a client stream without a server stream is not offered";
        }
    }
    return std::nullopt;
}

std::string port_header(const ServiceDescriptor& service) {
    const FileDescriptor& file = *service.file();
    std::string out = fmt::format(fmt::runtime(kNotice), file.name());
    out += "#include <memory>\n\n#include \"runtime/rpc/stream.hpp\"\n";
    out += fmt::format("#include \"{}/{}.pb.h\"\n\n", folder_of(file), short_package(file));
    out += fmt::format("namespace quire::{} {{\n\n", short_package(file));
    out += fmt::format("class {} {{\npublic:\n    virtual ~{}() = default;\n", service.name(),
                       service.name());
    for (const MethodDescriptor* method : methods_of(service)) {
        out += fmt::format("\n{}    virtual {} {}({}) = 0;\n", comment_of(*method),
                           return_type(*method), snake_case(method->name()),
                           parameters(*method, true));
    }
    return out + fmt::format("}};\n\n}}  // namespace quire::{}\n", short_package(file));
}

namespace {

std::string client_class(const ServiceDescriptor& service) {
    std::string out = fmt::format(
        "/// The port over a channel, for a service that runs elsewhere.\n"
        "class {0}Client final : public {0} {{\npublic:\n"
        "    explicit {0}Client(std::shared_ptr<rpc::Channel> channel) : "
        "channel_(std::move(channel)) {{}}\n",
        service.name());
    for (const MethodDescriptor* method : methods_of(service)) {
        out += fmt::format("\n    {} {}({}) override;\n", return_type(*method),
                           snake_case(method->name()), parameters(*method, true));
    }
    return out + "\nprivate:\n    std::shared_ptr<rpc::Channel> channel_;\n};\n\n";
}

}  // namespace

std::string rpc_header(const ServiceDescriptor& service) {
    const FileDescriptor& file = *service.file();
    const std::string package = short_package(file);
    std::string out = fmt::format(fmt::runtime(kNotice), file.name());
    out +=
        fmt::format("#include <vector>\n\n#include \"{}/{}_port.hpp\"\n", folder_of(file), package);
    out += "#include \"runtime/rpc/channel.hpp\"\n#include \"runtime/rpc/method.hpp\"\n\n";
    out += fmt::format("namespace quire::{} {{\n\n", package);
    out += client_class(service);
    out +=
        "/// The methods of the port as rows for `quire call`, quire.sock and the wire. `port` "
        "must\n"
        "/// outlive them.\n";
    out += fmt::format("std::vector<rpc::Method> {}_methods({}& port);\n", package, service.name());
    return out + fmt::format("\n}}  // namespace quire::{}\n", package);
}

namespace {

/// One forwarding line a method: everything else is in runtime/rpc.
std::string client_methods(const ServiceDescriptor& service) {
    std::string out;
    for (const MethodDescriptor* method : methods_of(service)) {
        const std::string path = fmt::format("/{}/{}", service.full_name(), method->name());
        std::string call = "call_unary";
        std::string types = cpp_type(*method->output_type());
        if (is_two_way(*method)) {
            call = "open_session";
            types = cpp_type(*method->input_type()) + ", " + types;
        } else if (method->server_streaming()) {
            call = "call_server_stream";
        }
        std::string passed = arguments(*method).substr(std::string("ctx").size());
        out += fmt::format(
            "\n{0} {1}Client::{2}({3}) {{\n"
            "    return rpc::{4}<{5}>(*channel_, ctx, \"{6}\"{7});\n}}\n",
            return_type(*method), service.name(), snake_case(method->name()),
            parameters(*method, true), call, types, path, passed);
    }
    return out;
}

}  // namespace

std::string rpc_source(const ServiceDescriptor& service) {
    const FileDescriptor& file = *service.file();
    const std::string package = short_package(file);
    std::string out = fmt::format("// Generated from {}. Do not edit.\n", file.name());
    out += fmt::format("#include \"{}/{}_rpc.hpp\"\n\n", folder_of(file), package);
    out += fmt::format("namespace quire::{} {{\n\n", package);
    out +=
        fmt::format("std::vector<rpc::Method> {}_methods({}& port) {{\n", package, service.name());
    out += "    std::vector<rpc::Method> methods;\n";
    for (const MethodDescriptor* method : methods_of(service)) {
        const options::Rule& rule = method->options().GetExtension(options::rule);
        std::string kind = "kUnary";
        std::string serve = "serve_unary";
        if (is_two_way(*method)) {
            kind = "kTwoWay";
            serve = "serve_session";
        } else if (method->server_streaming()) {
            kind = "kServerStream";
            serve = "serve_stream";
        }
        out += fmt::format(
            "    methods.push_back({{\"{}\", \"{}\", rpc::MethodKind::{}, rpc::Access::{}, \"{}\", "
            "{},\n"
            "                       rpc::{}(port, &{}::{})}});\n",
            service.full_name(), method->name(), kind, access_name(rule.access()), rule.scope(),
            rule.idempotent(), serve, service.name(), snake_case(method->name()));
    }
    out += "    return methods;\n}\n" + client_methods(service);
    return out + fmt::format("\n}}  // namespace quire::{}\n", package);
}

std::string fake_header(const ServiceDescriptor& service) {
    const FileDescriptor& file = *service.file();
    const std::string package = short_package(file);
    std::string out = fmt::format(fmt::runtime(kNotice), file.name());
    out += "#include <functional>\n\n";
    out += fmt::format("#include \"{}/{}_port.hpp\"\n\n", folder_of(file), package);
    out += fmt::format("namespace quire::{} {{\n\n", package);
    out += fmt::format(
        "/// Answers by the functions that a test sets (unset: internal_error, naming the method), "
        "and\n"
        "/// counts calls.\nclass Fake{0} final : public {0} {{\npublic:\n",
        service.name());
    for (const MethodDescriptor* method : methods_of(service)) {
        const std::string name = snake_case(method->name());
        out += fmt::format("    std::function<{}({})> on_{};\n", return_type(*method),
                           parameters(*method, false), name);
        out += fmt::format("    int {}_calls = 0;\n", name);
    }
    for (const MethodDescriptor* method : methods_of(service)) {
        const std::string name = snake_case(method->name());
        out += fmt::format("\n    {} {}({}) override;\n", return_type(*method), name,
                           parameters(*method, true));
    }
    return out + fmt::format("}};\n\n}}  // namespace quire::{}\n", package);
}

std::string fake_source(const ServiceDescriptor& service) {
    const FileDescriptor& file = *service.file();
    const std::string package = short_package(file);
    std::string out = fmt::format("// Generated from {}. Do not edit.\n", file.name());
    out += fmt::format("#include \"{}/{}_fake.hpp\"\n\n", folder_of(file), package);
    out += fmt::format("namespace quire::{} {{\n", package);
    for (const MethodDescriptor* method : methods_of(service)) {
        out += fmt::format(
            "\n{0} Fake{5}::{1}({2}) {{\n    ++{1}_calls;\n"
            "    if (!on_{1}) co_return Error(ErrorCode::kInternalError, \"{3} is not set in "
            "the fake\");\n"
            "    auto answer = co_await on_{1}({4});\n    co_return answer;\n}}\n",
            return_type(*method), snake_case(method->name()), parameters(*method, true),
            method->full_name(), arguments(*method), service.name());
    }
    return out + fmt::format("\n}}  // namespace quire::{}\n", package);
}

}  // namespace quire::generator
