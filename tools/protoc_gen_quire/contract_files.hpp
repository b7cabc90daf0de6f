#pragma once

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>

namespace quire::generator {

/// The first thing wrong with a contract, as `name: what`, or nothing.
std::optional<std::string> find_fault(const google::protobuf::FileDescriptor& file);

/// `auth_port.hpp`: the port, an abstract class with one coroutine per method.
std::string port_header(const google::protobuf::ServiceDescriptor& service);
/// `auth_rpc.hpp` and `.cpp`: the client over the wire, and the method table behind `quire call`
/// and the wire's server.
std::string rpc_header(const google::protobuf::ServiceDescriptor& service);
std::string rpc_source(const google::protobuf::ServiceDescriptor& service);
/// `auth_fake.hpp` and `.cpp`: answers by functions that a test sets, and counts calls.
std::string fake_header(const google::protobuf::ServiceDescriptor& service);
std::string fake_source(const google::protobuf::ServiceDescriptor& service);

}  // namespace quire::generator
