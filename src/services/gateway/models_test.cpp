#include "services/gateway/gateway_api.hpp"
#include "tests/support/gateway_under_test.hpp"

#include <gtest/gtest.h>

namespace quire::gateway {
namespace {

using test::HttpAnswer;

awaitable<Result<prompts::v1::ListModelsResponse>> two_models() {
    prompts::v1::ListModelsResponse response;
    for (const char* name : {"writer", "vendor/ti ny"}) {
        auto& model = *response.add_models();
        model.set_name(name);
        model.set_provider("local");
        model.set_created_at_us(1'790'000'000'900'000);
    }
    co_return response;
}

class GatewayModels : public testing::Test {
protected:
    GatewayModels() {
        gateway_.prompts->on_list_models = [](const rpc::CallContext&,
                                              const prompts::v1::ListModelsRequest&) {
            return two_models();
        };
    }

    test::GatewayUnderTest gateway_;
};

TEST_F(GatewayModels, ListsThemInTheOrderOfTheConfiguration) {
    const HttpAnswer answer = gateway_.send("GET", "/v1/models");

    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body,
              R"({"object":"list","data":[{"id":"writer","object":"model","created":1790000000,)"
              R"("owned_by":"local"},{"id":"vendor/ti ny","object":"model",)"
              R"("created":1790000000,"owned_by":"local"}]})");
}

TEST_F(GatewayModels, ShowsOneByItsName) {
    EXPECT_EQ(gateway_.send("GET", "/v1/models/writer").body,
              R"({"id":"writer","object":"model","created":1790000000,"owned_by":"local"})");
}

TEST_F(GatewayModels, FindsNamesWithSlashesAndEscapes) {
    for (const std::string_view path :
         {"/v1/models/vendor/ti%20ny", "/v1/models/vendor%2Fti%20ny"}) {
        EXPECT_EQ(gateway_.send("GET", std::string(path)).status, 200) << path;
    }
}

TEST_F(GatewayModels, SaysThatThereIsNoSuchModel) {
    for (const std::string_view path :
         {"/v1/models/writers", "/v1/models/write", "/v1/models/a%zz", "/v1/models/%00"}) {
        const HttpAnswer answer = gateway_.send("GET", std::string(path));

        EXPECT_EQ(answer.status, 404) << path;
        EXPECT_EQ(answer.code(), "model_not_found") << path;
    }
}

}  // namespace
}  // namespace quire::gateway
