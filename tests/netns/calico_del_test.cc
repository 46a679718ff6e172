// SPDX-License-Identifier: Apache-2.0
// Behaviours: spec calico-cni.md 3.9, 7.3, 7.4 #30-34, 8 #4, against the embedded datastore.
#include <dirent.h>
#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "netns/calico_node.h"

namespace tortie::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CalicoDel : public ::testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.put_pool("p4", "10.80.0.0/26");
    }

    void expect_deleted(const std::string &netns, const CalicoCall &call)
    {
        const PluginOutcome outcome = node_.call("DEL", netns, call);
        EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
        EXPECT_EQ(outcome.out, "");
    }

    void expect_nothing_left()
    {
        EXPECT_THAT(node_.held(), IsEmpty());
        EXPECT_THAT(node_.handles(), IsEmpty());
        EXPECT_THAT(node_.endpoints(), IsEmpty());
        EXPECT_TRUE(links_go());
        EXPECT_THAT(node_.netns().ip({"route"}), Not(HasSubstr("cali")));
    }

    // The kernel takes a namespace apart, and the pairs that end in it, when it finds the time.
    bool links_go() const
    {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (node_.netns().ip({"-o", "link"}).find("cali") != std::string::npos) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
        }
        return true;
    }

    CalicoNode node_;
    Netns pod_;
};

TEST_F(CalicoDel, TakesEverythingAwayAndMayComeAgain)
{
    node_.added(pod_, {.pod = "web-1"});

    expect_deleted(pod_.path(), {.pod = "web-1"});
    expect_nothing_left();
    expect_deleted(pod_.path(), {.pod = "web-1"});
}

TEST_F(CalicoDel, WorksWithoutAnAddAndWithoutANamespace)
{
    expect_deleted(pod_.path(), {.pod = "web-1"});
    expect_deleted("/not/a/real/path1234567890", {.pod = "web-1"});
    expect_deleted("", {.pod = "web-1"});
    expect_deleted(pod_.path(), {.policy = ""});
}

TEST_F(CalicoDel, ReleasesWhatAPodHadWhoseNamespaceIsGone)
{
    node_.added(pod_, {.pod = "web-1"});
    const std::string path = pod_.path();
    pod_.remove();

    expect_deleted(path, {.pod = "web-1"});
    expect_nothing_left();
}

TEST_F(CalicoDel, TakesAFileThatIsNoNamespaceForOneThatIsGone)
{
    node_.added(pod_, {.pod = "web-1"});
    ASSERT_TRUE(replace_file(node_.folder() + "/stale", "", 0600));

    expect_deleted(node_.folder() + "/stale", {.pod = "web-1"});
    EXPECT_THAT(node_.held(), IsEmpty());
}

TEST_F(CalicoDel, OfAnOldContainerLeavesThePodsNewOneAlone)
{
    node_.added(pod_, {.container = "x", .pod = "web-1"});
    Netns later;
    node_.added(later, {.container = "y", .pod = "web-1"});

    expect_deleted(pod_.path(), {.container = "x", .pod = "web-1"});

    ASSERT_EQ(node_.endpoints().size(), 1U);
    EXPECT_EQ(node_.endpoints()[0].container_id, "y");
    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.1 net1.y"));
    expect_deleted(later.path(), {.container = "y", .pod = "web-1"});
    expect_nothing_left();
}

TEST_F(CalicoDel, OfAContainerThatIsGoneAlreadyLeavesThePodsNewOneAlone)
{
    node_.added(pod_, {.container = "x", .pod = "web-1"});
    expect_deleted(pod_.path(), {.container = "x", .pod = "web-1"});
    node_.added(pod_, {.container = "y", .pod = "web-1"});
    Netns nowhere;

    expect_deleted(nowhere.path(), {.container = "x", .pod = "web-1"});

    EXPECT_EQ(node_.endpoints().size(), 1U);
    EXPECT_EQ(node_.held().size(), 1U);
}

TEST_F(CalicoDel, FailsAsAddDoesWhereTheDatastoreIsNotReady)
{
    node_.added(pod_, {.pod = "web-1"});
    for (const std::optional<bool> ready : {std::optional(false), std::optional<bool>()}) {
        node_.set_ready(ready);
        for (const char *verb : {"ADD", "DEL"}) {
            const PluginOutcome outcome = node_.call(verb, pod_.path(), {.pod = "web-1"});
            EXPECT_EQ(outcome.status, 1);
            EXPECT_EQ(outcome.out,
                      "{\n    \"code\": 11,\n    \"msg\": \"Calico is currently not ready to "
                      "process requests\"\n}");
        }
    }
    EXPECT_THAT(pod_.ip({"link"}), HasSubstr("eth0"));
}

TEST_F(CalicoDel, FailsWithoutClusterInformation)
{
    node_.added(pod_, {.pod = "web-1"});
    node_.remove_cluster_information();
    for (const char *verb : {"ADD", "DEL"}) {
        const PluginOutcome outcome = node_.call(verb, pod_.path(), {.pod = "web-1"});
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.out, HasSubstr("error getting ClusterInformation: "));
    }
}

// Somebody holds the database for good, as a backup tool might.
class Occupied {
public:
    explicit Occupied(const std::string &path)
    {
        EXPECT_EQ(::sqlite3_open(path.c_str(), &database_), SQLITE_OK);
        EXPECT_EQ(run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"), SQLITE_OK);
    }
    ~Occupied()
    {
        run("ROLLBACK;");
        ::sqlite3_close(database_);
    }
    Occupied(const Occupied &) = delete;
    Occupied &operator=(const Occupied &) = delete;
    Occupied(Occupied &&) = delete;
    Occupied &operator=(Occupied &&) = delete;

private:
    int run(const char *sql) { return ::sqlite3_exec(database_, sql, nullptr, nullptr, nullptr); }

    sqlite3 *database_ = nullptr;
};

TEST_F(CalicoDel, TakesTheNodesSideDownAndQueuesTheRestWhenTheDatastoreIsAway)
{
    const CalicoCall call{.pod = "web-1", .keys = R"(,"datastore_timeout_seconds":1)"};
    node_.added(pod_, call);
    {
        const Occupied occupied(node_.store_path());
        const PluginOutcome add = node_.add(
            pod_, {.container = "c2", .pod = "web-2", .keys = R"(,"datastore_timeout_seconds":1)"});
        EXPECT_THAT(add.out, HasSubstr("\"code\": 11"));
        expect_deleted(pod_.path(), call);
    }
    EXPECT_TRUE(links_go());
    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.0 net1.c1f0aa"));

    // The next DEL of anybody makes up for it.
    expect_deleted("", {.container = "other", .pod = "web-9"});
    expect_nothing_left();
}

TEST_F(CalicoDel, OfOneContainerIsMadeUpForBeforeItIsAddedAgain)
{
    const CalicoCall call{.pod = "web-1", .keys = R"(,"datastore_timeout_seconds":1)"};
    node_.added(pod_, call);
    {
        const Occupied occupied(node_.store_path());
        expect_deleted(pod_.path(), call);
    }

    node_.added(pod_, call);

    ASSERT_EQ(node_.held().size(), 1U);
    EXPECT_EQ(node_.endpoints().size(), 1U);
    expect_deleted(pod_.path(), call);
    expect_nothing_left();
}

// ---- containers that are no pods ------------------------------------------------------------

TEST_F(CalicoDel, EndsWhatAContainerWithoutPodHadWithItsNetworksProfile)
{
    const std::string keys = R"(,"args":{"org.apache.mesos":{"network_info":{"labels":{"labels":[)"
                             R"({"key":"DCOS_SPACE","value":"/a/b/c"}]}}}})";
    node_.added(pod_, {.container = "abc123", .keys = keys, .policy = ""});

    ASSERT_EQ(node_.endpoints().size(), 1U);
    const store::Endpoint endpoint = node_.endpoints()[0];
    EXPECT_EQ(endpoint.name, "node--a-cni-abc123-eth0");
    EXPECT_EQ(endpoint.ns, "default");
    EXPECT_EQ(endpoint.interface_name, "caliabc123");
    EXPECT_THAT(endpoint.profiles, ElementsAre("net1"));
    EXPECT_EQ(endpoint.labels.at("DCOS_SPACE"), "a.b.c");
    EXPECT_EQ(endpoint.labels.at("projectcalico.org/orchestrator"), "cni");

    expect_deleted(pod_.path(), {.container = "abc123", .policy = ""});
    expect_nothing_left();
}

TEST_F(CalicoDel, ComesAfterAddsThatOnlyJoinNetworks)
{
    const CalicoCall first{.container = "abc123", .policy = ""};
    const std::string before = node_.added(pod_, first);
    const std::string again = node_.added(pod_, first);
    const std::string other =
        node_.added(pod_, {.container = "abc123", .policy = "", .network = "net2"});

    EXPECT_THAT(before, HasSubstr("10.80.0.0/32"));
    EXPECT_THAT(again, HasSubstr("10.80.0.0/32"));
    EXPECT_THAT(other, HasSubstr("10.80.0.0/32"));
    ASSERT_EQ(node_.endpoints().size(), 1U);
    EXPECT_THAT(node_.endpoints()[0].profiles, ElementsAre("net1", "net2"));
    EXPECT_EQ(node_.held().size(), 1U);
}

}  // namespace
}  // namespace tortie::test
