// protoc-gen-quire: writes port, method table and fake for the service of a .proto file.
#include "contract_files.hpp"

#include <google/protobuf/compiler/code_generator.h>
#include <google/protobuf/compiler/plugin.h>
#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <memory>

namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::compiler::GeneratorContext;

void write_file(GeneratorContext* context, const std::string& name, const std::string& text) {
    const std::unique_ptr<google::protobuf::io::ZeroCopyOutputStream> stream(context->Open(name));
    google::protobuf::io::Printer printer(stream.get(), '\x01');
    printer.PrintRaw(text);
}

class ContractGenerator final : public google::protobuf::compiler::CodeGenerator {
public:
    bool Generate(const FileDescriptor* file, const std::string& /*parameter*/,
                  GeneratorContext* context, std::string* error) const override {
        if (const auto fault = quire::generator::find_fault(*file)) {
            *error = *fault;
            return false;
        }
        const std::string stem = file->name().substr(0, file->name().rfind('.'));
        const auto& service = *file->service(0);
        write_file(context, stem + "_port.hpp", quire::generator::port_header(service));
        write_file(context, stem + "_rpc.hpp", quire::generator::rpc_header(service));
        write_file(context, stem + "_rpc.cpp", quire::generator::rpc_source(service));
        write_file(context, stem + "_fake.hpp", quire::generator::fake_header(service));
        write_file(context, stem + "_fake.cpp", quire::generator::fake_source(service));
        return true;
    }

    uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }
};

}  // namespace

int main(int argc, char** argv) {
    const ContractGenerator generator;
    return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
