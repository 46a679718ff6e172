// SPDX-License-Identifier: Apache-2.0
//
// The program calico-ipam on the embedded datastore.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calico/ipam_site.h"
#include "harness/netns.h"
#include "harness/plugin_call.h"
#include "harness/temp_dir.h"

namespace tortie::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char *kPool = R"(
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: lab}
spec: {cidr: 10.80.0.0/29, blockSize: 29}
)";

class CalicoIpamTest : public ::testing::Test {
protected:
    void SetUp() override { TORTIE_NEEDS_ROOT(); }

    // What the plugin keeps below /run for this datastore.
    void TearDown() override
    {
        calico::IpamSite site;
        site.store = "local " + (temp_ / "store.db");
        site.node = "node-a";
        site.lock_file = temp_ / "ipam.lock";
        std::error_code ignored;
        std::filesystem::remove_all(calico::meeting_folder(site), ignored);
    }

    PluginOutcome tool(const std::vector<std::string> &arguments, const std::string &input = "")
    {
        return run_plugin(
            {.binary = plugin_path("calico-ipam"),
             .env = {{"TORTIE_STORE_PATH", temp_ / "store.db"}, {"DATASTORE_TYPE", "local"}},
             .input = input,
             .arguments = arguments});
    }

    std::string config(const std::string &version = "1.0.0", const std::string &more = "") const
    {
        return R"({"cniVersion": ")" + version +
               R"(", "name": "net1", "type": "calico", "datastore_type": "local",)"
               R"("nodename": "node-a", "ipam_lock_file": ")" +
               (temp_ / "ipam.lock") + R"(", "ipam": {"type": "calico-ipam")" + more + "}}";
    }

    PluginOutcome call(const std::string &verb, const std::string &container,
                       const std::string &input, const std::string &args = "")
    {
        PluginCall made{.binary = plugin_path("calico-ipam"),
                        .env = cni_env(verb, container),
                        .input = input,
                        .arguments = {}};
        made.env["TORTIE_STORE_PATH"] = temp_ / "store.db";
        if (!args.empty())
            made.env["CNI_ARGS"] = args;
        return run_plugin(made);
    }

    std::string held() { return tool({"-show", "-json"}).out; }

    TempDir temp_;
};

TEST_F(CalicoIpamTest, AppliesShowsAndChecks)
{
    const PluginOutcome first = tool({"-apply", "-"}, kPool);
    EXPECT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(first.out, "IPPool/lab created\n");
    std::ofstream(temp_ / "pool.yaml") << kPool << "  natOutgoing: true\n";
    EXPECT_EQ(tool({"-apply=" + (temp_ / "pool.yaml")}).status, 1);  // two spaces: not YAML here
    EXPECT_EQ(tool({"--apply", "-"}, kPool).out, "IPPool/lab unchanged\n");
    EXPECT_THAT(tool({"-show"}).out, HasSubstr("10.80.0.0/29"));
    EXPECT_EQ(tool({"-check"}).out, "no findings\n");
}

TEST_F(CalicoIpamTest, TellsHowItIsUsedAndWhichVersionItIs)
{
    EXPECT_EQ(tool({"-bogus"}).status, 2);
    EXPECT_THAT(tool({"-bogus"}).err, HasSubstr("Usage of calico-ipam"));
    EXPECT_EQ(tool({"-help"}).status, 0);
    EXPECT_EQ(tool({"-show", "-check"}).status, 2);
    EXPECT_EQ(tool({"-v"}).status, 0);
    EXPECT_EQ(tool({"-v"}).out, tool({"--version"}).out);
    EXPECT_THAT(tool({}).err, StartsWith("Calico CNI IPAM"));
}

TEST_F(CalicoIpamTest, RefusesAManifestBeforeItWritesAnything)
{
    const PluginOutcome refused = tool({"-apply", "-"}, std::string(kPool) + "---\nkind: Pod\n");
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("document 2"));
    EXPECT_THAT(held(), Not(HasSubstr("lab")));
}

TEST_F(CalicoIpamTest, GivesAnAddressAndARouteInEveryVersionsShape)
{
    ASSERT_EQ(tool({"-apply", "-"}, kPool).status, 0);

    const PluginOutcome one = call("ADD", "c1", config());
    EXPECT_EQ(one.status, 0) << one.out;
    EXPECT_EQ(one.out,
              "{\n    \"cniVersion\": \"1.0.0\",\n    \"ips\": [\n        {\n"
              "            \"address\": \"10.80.0.0/29\"\n        }\n    ],\n"
              "    \"routes\": [\n        {\n            \"dst\": \"10.80.0.0/29\"\n        }\n"
              "    ]\n}");
    EXPECT_THAT(call("ADD", "c2", config("0.3.1")).out, HasSubstr("\"version\": \"4\""));
    EXPECT_THAT(call("ADD", "c3", config("0.2.0")).out, HasSubstr("\"ip4\""));
    const PluginOutcome specific = call("ADD", "c4", config(), "IgnoreUnknown=1;IP=10.80.0.6");
    EXPECT_THAT(specific.out, HasSubstr("10.80.0.6/32"));
    EXPECT_EQ(call("ADD", "c5", config(), "IP=10.80.0.6").status, 1);
    for (const char *container : {"c1", "c2", "c3", "c4", "c5", "never"})
        EXPECT_EQ(call("DEL", container, config()).status, 0);
    EXPECT_THAT(held(), Not(HasSubstr("\"ip\":")));
    EXPECT_EQ(tool({"-check"}).out, "no findings\n");
}

TEST_F(CalicoIpamTest, SaysInCalicosWordsThatAPoolIsFull)
{
    ASSERT_EQ(tool({"-apply", "-"}, kPool).status, 0);
    for (int i = 0; i < 8; ++i)
        ASSERT_EQ(call("ADD", "c" + std::to_string(i), config()).status, 0);

    const PluginOutcome full = call("ADD", "c8", config());

    EXPECT_EQ(full.status, 1);
    EXPECT_THAT(full.out, HasSubstr("failed to request IPv4 addresses: Assigned 0 out of 1 "
                                    "requested IPv4 addresses; No IPs available in pools: "
                                    "[10.80.0.0/29]"));
    EXPECT_THAT(full.out, HasSubstr("\"code\": 999"));
}

TEST_F(CalicoIpamTest, GivesBackTheAddressWhenItsResultCannotBePrinted)
{
    ASSERT_EQ(tool({"-apply", "-"}, kPool).status, 0);
    const PluginOutcome none = call("ADD", "c1", config("0.2.0", R"(, "assign_ipv4": "false")"));
    EXPECT_EQ(none.status, 1);
    EXPECT_THAT(held(), Not(HasSubstr("\"ip\":")));
}

TEST_F(CalicoIpamTest, DualStackWithoutAPoolOfOneFamilyLeavesNothing)
{
    ASSERT_EQ(tool({"-apply", "-"}, kPool).status, 0);
    EXPECT_EQ(call("ADD", "c1", config("1.0.0", R"(, "assign_ipv6": "true")")).status, 1);
    EXPECT_THAT(held(), Not(HasSubstr("\"ip\":")));
    EXPECT_EQ(tool({"-check"}).out, "no findings\n");
}

TEST_F(CalicoIpamTest, ChecksTheAddressesOfPrevResult)
{
    ASSERT_EQ(tool({"-apply", "-"}, kPool).status, 0);
    ASSERT_EQ(call("ADD", "c1", config()).status, 0);
    const auto with = [&](const std::string &address) {
        std::string text = config();
        text.insert(1, R"("prevResult": {"cniVersion": "1.0.0", "ips": [{"address": ")" + address +
                           R"("}]}, )");
        return text;
    };
    EXPECT_EQ(call("CHECK", "c1", with("10.80.0.0/29")).status, 0);
    EXPECT_EQ(call("CHECK", "c1", with("10.80.0.3/29")).status, 1);
    EXPECT_EQ(call("CHECK", "c2", with("10.80.0.0/29")).status, 1);
}

TEST_F(CalicoIpamTest, CollectsWhatTheRuntimeNoLongerLists)
{
    ASSERT_EQ(tool({"-apply", "-"}, kPool).status, 0);
    ASSERT_EQ(call("ADD", "c1", config("1.1.0")).status, 0);
    ASSERT_EQ(call("ADD", "c2", config("1.1.0")).status, 0);
    std::string text = config("1.1.0");
    text.insert(1, R"("cni.dev/valid-attachments": [{"containerID": "c2", "ifname": "eth0"}], )");

    const PluginOutcome collected = call("GC", "c0", text);

    EXPECT_EQ(collected.status, 0) << collected.out;
    EXPECT_THAT(collected.out, IsEmpty());
    EXPECT_THAT(held(), HasSubstr("net1.c2"));
    EXPECT_THAT(held(), Not(HasSubstr("net1.c1")));
    EXPECT_EQ(call("STATUS", "c0", config("1.1.0")).status, 0);
}

TEST_F(CalicoIpamTest, FindsTheDatastoreByAListOfPlugins)
{
    std::ofstream(temp_ / "list")
        << R"({"cniVersion": "1.0.0", "name": "net1", "plugins": [{"type": "tuning"},)"
        << R"({"type": "calico", "datastore_type": "local", "ipam": {"type": "calico-ipam"}}]})";
    const PluginOutcome shown = run_plugin({.binary = plugin_path("calico-ipam"),
                                            .env = {{"TORTIE_STORE_PATH", temp_ / "store.db"}},
                                            .input = {},
                                            .arguments = {"-show", "-conf", temp_ / "list"}});
    EXPECT_EQ(shown.status, 0) << shown.err;
    EXPECT_THAT(tool({"-show", "-conf", temp_ / "nothing"}).err, HasSubstr("nothing"));
}

}  // namespace
}  // namespace tortie::test
