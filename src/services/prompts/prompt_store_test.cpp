#include "services/prompts/prompt_store.hpp"

#include "services/prompts/prompts_schema.hpp"
#include "storage/database.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

namespace quire::prompts {
namespace {

using Labels = std::map<std::string, std::int64_t>;

PromptVersion sample_version(const std::string& name, std::int64_t number) {
    PromptVersion version;
    version.name = name;
    version.version = number;
    version.messages = {{"system", "You \"write\"."}, {"user", "{{ topic }}"}};
    version.model = "writer";
    version.parameters = R"({"seed":5})";
    version.variables = {"topic"};
    version.created_at = Timestamp{1000 + number};
    return version;
}

class PromptStoreTest : public testing::Test {
protected:
    PromptStoreTest() { EXPECT_TRUE(migrate_prompts(database_->writer(), "prompts.db", clock_)); }
    static void expect_kept(PromptStore& store, const std::string& name, std::int64_t number) {
        EXPECT_TRUE(store.insert_version(sample_version(name, number)));
    }

    test::TemporaryFolder folder_;
    ManualClock clock_;
    std::unique_ptr<storage::Database> database_ =
        *storage::Database::open_sqlite(folder_.path() / "prompts.db", {});
    PromptOwner owner_{"org_1", "prj_1"};
    PromptOwner other_{"org_1", "prj_2"};
    PromptStore store_{database_->writer(), owner_};
    PromptStore others_{database_->writer(), other_};
};

TEST_F(PromptStoreTest, KeepsAVersionAsItWas) {
    expect_kept(store_, "post", 1);
    EXPECT_TRUE(store_.put_label("post", "production", 1, Timestamp{5}));

    const auto found = store_.find_version("post", 1);

    ASSERT_TRUE(found && *found);
    const PromptVersion& version = **found;
    EXPECT_EQ(version.messages.at(0).content, "You \"write\".");
    EXPECT_EQ(version.messages.at(1).role, "user");
    EXPECT_EQ(version.model, "writer");
    EXPECT_EQ(version.parameters, R"({"seed":5})");
    EXPECT_EQ(version.variables, std::vector<std::string>{"topic"});
    EXPECT_EQ(version.labels, std::vector<std::string>{"production"});
    EXPECT_EQ(version.created_at, Timestamp{1001});
}

TEST_F(PromptStoreTest, RefusesToChangeAVersion) {
    expect_kept(store_, "post", 1);

    const auto again = store_.insert_version(sample_version("post", 1));
    const auto changed =
        database_->writer().execute("UPDATE prompt_versions SET messages = '[]'", {});

    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::kAlreadyExists);
    EXPECT_FALSE(changed);
}

TEST_F(PromptStoreTest, MovesALabel) {
    expect_kept(store_, "post", 1);
    expect_kept(store_, "post", 2);
    EXPECT_TRUE(store_.put_label("post", "production", 2, Timestamp{5}));
    EXPECT_TRUE(store_.put_label("post", "production", 1, Timestamp{6}));

    EXPECT_EQ(*store_.version_at("post", "production"), 1);
    EXPECT_EQ(*store_.version_at("post", "beta"), 0);
    EXPECT_EQ(*store_.newest_version("post"), 2);
    EXPECT_EQ(*store_.labels_of("post"), (Labels{{"production", 1}}));
}

TEST_F(PromptStoreTest, RefusesALabelOfNoVersion) {
    expect_kept(store_, "post", 1);

    EXPECT_FALSE(store_.put_label("post", "production", 2, Timestamp{5}));
}

TEST_F(PromptStoreTest, ShowsAProjectItsOwnOnly) {
    expect_kept(store_, "post", 1);

    EXPECT_EQ(*others_.newest_version("post"), 0);
    EXPECT_FALSE(others_.find_version("post", 1)->has_value());
    EXPECT_TRUE(others_.list("", 10)->empty());
    EXPECT_FALSE(others_.put_label("post", "production", 1, Timestamp{5}));
}

TEST_F(PromptStoreTest, ListsByNameWithTheNewestVersion) {
    for (const char* name : {"b", "a", "c"}) expect_kept(store_, name, 1);
    expect_kept(store_, "a", 2);
    EXPECT_TRUE(store_.put_label("a", "production", 1, Timestamp{5}));

    const auto first = store_.list("", 2);
    const auto rest = store_.list("b", 2);

    ASSERT_TRUE(first && rest);
    ASSERT_EQ(first->size(), 2);
    EXPECT_EQ(first->at(0).name, "a");
    EXPECT_EQ(first->at(0).latest_version, 2);
    EXPECT_EQ(first->at(0).labels, (Labels{{"production", 1}}));
    EXPECT_EQ(first->at(0).created_at, Timestamp{1002});
    ASSERT_EQ(rest->size(), 1);
    EXPECT_EQ(rest->at(0).name, "c");
}

}  // namespace
}  // namespace quire::prompts
