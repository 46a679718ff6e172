// SPDX-License-Identifier: Apache-2.0
// CHECK, GC, STATUS, the options, the log, and traffic; against the embedded datastore.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/traffic.h"
#include "netns/calico_node.h"

namespace tortie::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CalicoVerbs : public ::testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.put_pool("p4", "10.80.0.0/26");
    }

    PluginOutcome check(const std::string &result)
    {
        return node_.call("CHECK", pod_.path(),
                          {.pod = "web-1", .keys = ",\"prevResult\":" + result});
    }

    PluginOutcome global(const std::string &verb, const std::string &keys)
    {
        return node_.call(verb, "",
                          {.container = "", .ifname = "", .version = "1.1.0", .keys = keys});
    }

    CalicoNode node_;
    Netns pod_;
};

TEST_F(CalicoVerbs, CheckFindsWhatAddHasMade)
{
    const PluginOutcome added = node_.add(pod_, {.pod = "web-1"});
    ASSERT_EQ(added.status, 0) << added.out;

    const PluginOutcome checked = check(added.out);

    EXPECT_EQ(checked.status, 0) << checked.out;
    EXPECT_EQ(checked.out, "");
}

TEST_F(CalicoVerbs, CheckMissesAnAddressARouteAndAnEndpoint)
{
    const std::string result = node_.add(pod_, {.pod = "web-1"}).out;
    pod_.ip({"route", "del", "default"});
    EXPECT_EQ(check(result).status, 1);
    pod_.ip({"route", "add", "default", "via", "169.254.1.1", "dev", "eth0"});
    EXPECT_EQ(check(result).status, 0);

    pod_.ip({"addr", "flush", "dev", "eth0"});
    EXPECT_EQ(check(result).status, 1);

    const PluginOutcome without = node_.call("CHECK", pod_.path(), {.pod = "web-1"});
    EXPECT_THAT(without.out, HasSubstr("Required prevResult missing"));
}

TEST_F(CalicoVerbs, CheckWantsOnlyTheForwardingThatWasAskedFor)
{
    const std::string result = node_.add(pod_, {.pod = "web-1"}).out;
    pod_.run({"sysctl", "-qw", "net.ipv4.ip_forward=1"});  // the pod's own business
    EXPECT_EQ(check(result).status, 0);

    pod_.run({"sysctl", "-qw", "net.ipv4.ip_forward=0"});
    const PluginOutcome checked = node_.call(
        "CHECK", pod_.path(),
        {.pod = "web-1",
         .keys = R"(,"container_settings":{"allow_ip_forwarding":true},"prevResult":)" + result});
    EXPECT_THAT(checked.out, HasSubstr("net.ipv4.ip_forward=0 and not 1"));
}

TEST_F(CalicoVerbs, LogTheFailureOfAnAddOnce)
{
    const PluginOutcome added = node_.add(pod_, {.pod = "web-1", .keys = R"(,"mtu":-1)"});

    EXPECT_EQ(added.status, 1);
    std::size_t errors = 0;
    for (std::size_t at = added.err.find("[ERROR]"); at != std::string::npos;
         at = added.err.find("[ERROR]", at + 1))
        ++errors;
    EXPECT_EQ(errors, 1U) << added.err;
    EXPECT_THAT(added.err, HasSubstr("Final result of CNI ADD was an error."));
}

TEST_F(CalicoVerbs, CheckMissesTheEndpointOfAnotherContainer)
{
    const PluginOutcome first = node_.add(pod_, {.container = "old", .pod = "web-1"});
    ASSERT_EQ(node_.add(pod_, {.container = "new", .pod = "web-1"}).status, 0);

    const PluginOutcome checked =
        node_.call("CHECK", pod_.path(),
                   {.container = "old", .pod = "web-1", .keys = ",\"prevResult\":" + first.out});

    EXPECT_EQ(checked.status, 1);
}

TEST_F(CalicoVerbs, GcReleasesWhatTheRuntimeNoLongerLists)
{
    node_.added(pod_, {.container = "keep", .pod = "web-1"});
    const Netns gone;
    node_.added(gone, {.container = "gone", .pod = "web-2"});

    const PluginOutcome collected =
        global("GC", R"(,"cni.dev/valid-attachments":[{"containerID":"keep","ifname":"eth0"}])");

    EXPECT_EQ(collected.status, 0) << collected.out;
    EXPECT_EQ(collected.out, "");
    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.0 net1.keep"));
    ASSERT_EQ(node_.endpoints().size(), 1U);
    EXPECT_EQ(node_.endpoints()[0].container_id, "keep");
}

TEST_F(CalicoVerbs, GcReleasesNothingWithoutAList)
{
    node_.added(pod_, {.container = "keep", .pod = "web-1"});
    EXPECT_EQ(global("GC", "").status, 0);
    EXPECT_EQ(node_.held().size(), 1U);
}

TEST_F(CalicoVerbs, StatusTellsWhetherAnAddCouldWork)
{
    EXPECT_EQ(global("STATUS", "").out, "");
    node_.set_ready(false);
    EXPECT_EQ(global("STATUS", "").out,
              "{\n    \"code\": 50,\n    \"msg\": \"Calico is currently not ready to process "
              "requests\"\n}");
    EXPECT_THAT(node_.call("STATUS", "", {.version = "1.0.0"}).out,
                HasSubstr("config version does not allow STATUS"));
}

TEST_F(CalicoVerbs, OptionsWorkWithAndWithoutACommand)
{
    for (const std::map<std::string, std::string> &env :
         {std::map<std::string, std::string>(), {{"CNI_COMMAND", "VERSION"}}}) {
        const PluginOutcome version = node_.run("calico", "", env, {"-v"});
        EXPECT_EQ(version.status, 0);
        EXPECT_THAT(version.out, ::testing::MatchesRegex("v[0-9.]+ \\(tortie\\)\n"));
        EXPECT_EQ(node_.run("calico", node_.config_of({}), env, {"-t"}).status, 0);
    }
    node_.set_ready(false);
    const PluginOutcome not_ready = node_.run("calico", node_.config_of({}), {}, {"-t"});
    EXPECT_EQ(not_ready.status, 1);
    EXPECT_EQ(not_ready.out,
              "{\n    \"code\": 100,\n    \"msg\": \"data store connection failed\",\n    "
              "\"details\": \"Calico is currently not ready to process requests\"\n}");
    EXPECT_EQ(node_.run("calico", "", {}, {"-unknown"}).status, 2);
}

TEST_F(CalicoVerbs, AreToldApartFromOtherProgramsByName)
{
    const PluginOutcome about = node_.run("calico", "", {}, {});
    EXPECT_EQ(about.status, 0);
    EXPECT_THAT(about.err, ::testing::StartsWith("Calico CNI plugin v"));
    EXPECT_THAT(node_.run("calico", "", {{"CNI_COMMAND", "VERSION"}}, {}).out,
                HasSubstr("\"1.1.0\"]}\n"));
    ASSERT_EQ(::symlink(plugin_path("calico").c_str(), (node_.plugins() + "/other").c_str()), 0);
    const PluginOutcome unknown = node_.run("other", "", {}, {});
    EXPECT_EQ(unknown.status, 2);
    EXPECT_EQ(unknown.err, "Unknown binary name: other\n");
}

TEST_F(CalicoVerbs, LogInCalicosFormToStderrAndToAFile)
{
    const std::string path = node_.folder() + "/log/cni.log";
    const PluginOutcome added =
        node_.add(pod_, {.pod = "web-1", .keys = R"(,"log_file_path":")" + path + '"'});

    const std::string file = read_file(path, std::size_t{1} << 20).value();
    EXPECT_EQ(file, added.err);
    EXPECT_THAT(file, HasSubstr("cni-plugin/add.cc "));
    EXPECT_THAT(file, HasSubstr("ContainerID=\"c1f0aa\" Namespace=\"shop\" Pod=\"web-1\""));
}

TEST_F(CalicoVerbs, LetPodsAndTheNodeTalk)
{
    // Proxy ARP answers for 169.254.1.1 only where the node has a route for it elsewhere.
    const Netns outside;
    veth_pair(node_.netns(), "up0", outside, "eth0");
    node_.netns().ip({"link", "set", "up0", "up"});
    outside.ip({"link", "set", "eth0", "up"});
    node_.netns().ip({"addr", "add", "192.0.2.1/24", "dev", "up0"});
    node_.netns().ip({"route", "add", "default", "via", "192.0.2.2"});
    const Netns other;
    node_.added(pod_, {.pod = "web-1"});
    node_.added(other, {.container = "c2", .pod = "web-2"});
    const AddressEcho server(pod_, Transport::kTcp, 80, "web-1");

    EXPECT_EQ(ask(node_.netns(), Transport::kTcp, "10.80.0.0", 80).substr(0, 6), "web-1 ");
    EXPECT_EQ(ask(other, Transport::kTcp, "10.80.0.0", 80), "web-1 10.80.0.1");
}

}  // namespace
}  // namespace tortie::test
