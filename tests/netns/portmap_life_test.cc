// SPDX-License-Identifier: Apache-2.0
//
// What ADD, DEL, CHECK and GC leave on the node: repeated, in parallel, interrupted, with bad
// configurations, and the defects of the Go plugin that are not ours.
#include <sys/stat.h>

#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "harness/traffic.h"
#include "netns/portmap_node.h"
#include "sys/sysctl.h"

namespace tortie::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count_of(const std::string &text, const std::string &part)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        count++;
    return count;
}

class PortmapLife : public testing::TestWithParam<Way> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        net_.emplace(GetParam());
    }

    const PortmapNode &net() const { return *net_; }
    bool is_iptables() const { return std::string_view(GetParam().backend) == "iptables"; }

    // Everything that carries a host port, whichever way.
    std::string state() const
    {
        return net().saved_rules() + net().node().run({"nft", "list", "ruleset"});
    }

    PluginOutcome run(const std::string &verb, const std::string &config,
                      const std::string &id = kPodOne.id) const
    {
        auto env = net().env_of(verb, kPodOne, {});
        env["CNI_CONTAINERID"] = id;
        return net().node().inside([&] {
            return run_plugin({.binary = ours(), .env = env, .input = config, .arguments = {}});
        });
    }

    const PortmapCall call_ = {.mappings = tcp(8080, 80) + "," + udp(53, 53)};
    std::optional<PortmapNode> net_;
};

INSTANTIATE_TEST_SUITE_P(, PortmapLife, testing::Values(kIptablesNft, kIptablesLegacy, kNftables),
                         [](const auto &test) { return test.param.name; });

TEST_P(PortmapLife, RepeatedAddChangesNothing)
{
    net().add(kPodOne, call_);
    const std::string once = net().saved_rules();

    net().add(kPodOne, call_);

    EXPECT_EQ(net().saved_rules(), once);
    EXPECT_EQ(net().check(kPodOne, call_).status, 0);
}

TEST_P(PortmapLife, AddWithOtherPortsReplacesTheOldOnes)
{
    const AddressEcho server(net().netns_of(kPodOne), Transport::kTcp, 80, "one");
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    net().add(kPodOne, {.mappings = tcp(8081, 80)});

    EXPECT_TRUE(nobody_answers(net().outside(), Transport::kTcp, "192.0.2.1", 8080));
    EXPECT_EQ(ask(net().outside(), Transport::kTcp, "192.0.2.1", 8081), "one 192.0.2.2");
}

TEST_P(PortmapLife, DelWorksTwiceAndWithoutAdd)
{
    net().del(kPodOne, call_);
    net().add(kPodOne, call_);
    net().del(kPodOne, call_);
    net().del(kPodOne, call_);

    EXPECT_THAT(state(), Not(HasSubstr("10.66.0.2")));
}

TEST_P(PortmapLife, DelWorksWithoutMappingsAndPrevResult)
{
    net().add(kPodOne, call_);

    const PluginOutcome outcome =
        run("DEL", R"({"cniVersion": "1.0.0", "name": "pmnet", "type": "portmap"})");

    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_THAT(state(), Not(HasSubstr("10.66.0.2")));
}

// Found while specifying, 10: the Go plugin's DEL fails and leaks.
TEST_P(PortmapLife, DelWorksWithAConfigurationThatCannotBeUsed)
{
    for (const char *keys :
         {R"("backend": "")", R"("backend": "nonsense")", R"("markMasqBit": 99)",
          R"("snat": "maybe")", R"("prevResult": 7)", R"("runtimeConfig": {"portMappings": 1})",
          R"("runtimeConfig": {"portMappings": [{"hostPort": 99999, "containerPort": 1}]})",
          R"("backend": "iptables", "conditionsV4": [""])",
          R"("backend": "nftables", "conditionsV4": ["-s", "::1"])"}) {
        net().add(kPodOne, call_);

        const PluginOutcome outcome =
            run("DEL", R"({"cniVersion": "1.0.0", "name": "pmnet", )" + std::string(keys) + "}");

        EXPECT_EQ(outcome.status, 0) << keys << outcome.out;
        EXPECT_EQ(outcome.out, "");
        EXPECT_THAT(state(), Not(HasSubstr("10.66.0.2"))) << keys;
    }
}

TEST_P(PortmapLife, DelLeavesOtherContainersAndOtherNetworksOfTheSameContainer)
{
    const PortmapCall second = {
        .mappings = tcp(8082, 80), .network = "second", .container = kPodOne.id, .ifname = "net1"};
    net().add(kPodOne, {.mappings = tcp(8080, 80)});
    net().add(kPodTwo, {.mappings = tcp(8081, 80)});
    net().add(kPodTwo, second);

    net().del(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(net().check(kPodTwo, {.mappings = tcp(8081, 80)}).status, 0);
    EXPECT_EQ(net().check(kPodTwo, second).status, 0);
}

TEST_P(PortmapLife, ThirtyAddsAtOnceAllSucceedAndRepeatNothing)
{
    constexpr int kContainers = 30;
    std::vector<PluginOutcome> outcomes(kContainers);
    const auto call_of = [](int i) {
        return PortmapCall{.mappings = tcp(9000 + i, 80), .container = "c" + std::to_string(i)};
    };

    std::vector<std::thread> threads;
    threads.reserve(kContainers);
    for (int i = 0; i < kContainers; i++)
        threads.emplace_back([&, i] {
            outcomes[static_cast<std::size_t>(i)] = net().call(ours(), "ADD", kPodOne, call_of(i));
        });
    for (std::thread &thread : threads)
        thread.join();

    for (int i = 0; i < kContainers; i++) {
        EXPECT_EQ(outcomes[static_cast<std::size_t>(i)].status, 0)
            << outcomes[static_cast<std::size_t>(i)].out;
        EXPECT_EQ(net().check(kPodOne, call_of(i)).status, 0);
    }
    const std::string rules = net().saved_rules();
    const std::size_t expected = is_iptables() ? 2 : 0;  // one a family
    EXPECT_EQ(count_of(rules, "-A PREROUTING "), expected) << rules;
    EXPECT_EQ(count_of(rules, "-A OUTPUT "), expected);
    EXPECT_EQ(count_of(rules, "-A POSTROUTING "), expected);
    EXPECT_EQ(count_of(rules, "-A CNI-HOSTPORT-MASQ "), expected);
}

TEST_P(PortmapLife, CheckFindsWhatIsMissing)
{
    net().add(kPodOne, call_);
    ASSERT_EQ(net().check(kPodOne, call_).status, 0);

    const PluginOutcome more = net().check(kPodOne, {.mappings = tcp(8080, 80) + "," + tcp(1, 2)});
    EXPECT_EQ(more.status, 1);
    EXPECT_THAT(more.out, HasSubstr("\"code\": 999"));
    net().node().run({"nft", "flush", "ruleset"});
    const std::string kind = GetParam().legacy_iptables ? "-legacy" : "-nft";
    net().node().run({"iptables" + kind, "-t", "nat", "-F"});

    EXPECT_EQ(net().check(kPodOne, call_).status, 1);
}

TEST_P(PortmapLife, GcWithdrawsWhatTheRuntimeNoLongerLists)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});
    net().add(kPodTwo, {.mappings = tcp(8081, 80)});
    net().add(kPodTwo, {.mappings = tcp(8082, 80), .network = "other", .container = "three"});
    const std::string gc = R"({"cniVersion": "1.1.0", "name": "pmnet", )";

    EXPECT_EQ(run("GC", gc + R"("type": "portmap"})").status, 0);
    EXPECT_EQ(net().check(kPodOne, {.mappings = tcp(8080, 80)}).status, 0);  // no list, no GC
    const PluginOutcome outcome = run("GC", gc + R"("cni.dev/valid-attachments":
                                          [{"containerID": "two", "ifname": "eth0"}]})");

    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_EQ(net().check(kPodOne, {.mappings = tcp(8080, 80)}).status, 1);
    EXPECT_EQ(net().check(kPodTwo, {.mappings = tcp(8081, 80)}).status, 0);
    EXPECT_EQ(
        net()
            .check(kPodTwo, {.mappings = tcp(8082, 80), .network = "other", .container = "three"})
            .status,
        0);
}

TEST_P(PortmapLife, RefusesBadPortsBeforeAnythingIsChanged)
{
    const std::string before = state();
    for (const std::string &mapping :
         {tcp(8080, 80) + "," + tcp(70000, 80), tcp(8080, 80) + "," + tcp(81, 70000),
          tcp(8080, 80) + "," + tcp(81, 81, "nonsense"),
          tcp(8080, 80) + R"(, {"hostPort": 1, "containerPort": 1, "protocol": "icmp"})"}) {
        const PluginOutcome outcome = net().call(ours(), "ADD", kPodOne, {.mappings = mapping});

        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.out, HasSubstr("failed to parse config: Invalid "));
    }
    EXPECT_EQ(state(), before);
}

TEST_P(PortmapLife, EnablesLocalnetRoutingTowardsTheContainerOnly)
{
    const auto route_localnet = [&](const std::string &interface) {
        return net().node().inside(
            [&] { return read_sysctl("ipv4/conf/" + interface + "/route_localnet").value(); });
    };
    net().add(kPodOne, {.mappings = tcp(8080, 80), .keys = R"("snat": false, )"});
    EXPECT_EQ(route_localnet("br0"), "0");

    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(route_localnet("br0"), "1");
    EXPECT_EQ(route_localnet("up0"), "0");
}

class PortmapIptables : public PortmapLife {};

INSTANTIATE_TEST_SUITE_P(, PortmapIptables, testing::Values(kIptablesNft, kIptablesLegacy),
                         [](const auto &test) { return test.param.name; });

// Found while specifying, 6: the Go plugin leaves half a chain.
TEST_P(PortmapIptables, FailedAddLeavesNoRule)
{
    const std::string before = net().saved_rules();

    const PluginOutcome outcome =
        net().call(ours(), "ADD", kPodOne,
                   {.mappings = tcp(8080, 80), .keys = R"("externalSetMarkChain": "MISSING", )"});

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("unable to setup DNAT: running ["));
    EXPECT_THAT(outcome.out, HasSubstr("exit status "));
    EXPECT_EQ(net().saved_rules(), before);
}

TEST_P(PortmapIptables, AFailureInOneFamilyUndoesTheOther)
{
    const PluginOutcome outcome = net().call(
        ours(), "ADD", kPodOne,
        {.mappings = tcp(8080, 80), .keys = R"("conditionsV6": ["-s", "not-an-address"], )"});

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(net().saved_rules(), Not(HasSubstr("CNI-DN-")));
}

// Found while specifying, 7.
TEST_P(PortmapIptables, ChangingTheMarkBitReplacesTheMark)
{
    net().add(kPodOne, call_);
    PortmapCall other = call_;
    other.keys = R"("markMasqBit": 14, )";

    net().add(kPodOne, other);

    EXPECT_THAT(net().saved_rules(), Not(HasSubstr("0x2000")));
    EXPECT_EQ(count_of(net().saved_rules(), "-A CNI-HOSTPORT-SETMARK"), 2U);
}

// Defects 752 and 683: the network's name is part of the chain's.
TEST_P(PortmapIptables, DelFindsTheChainOfANetworkThatWasRenamed)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80), .network = "before"});

    net().del(kPodOne, {.mappings = tcp(8080, 80), .network = "after"});

    EXPECT_THAT(net().saved_rules(), Not(HasSubstr("CNI-DN-")));
}

TEST_P(PortmapIptables, CheckNoticesThatAConditionHasChanged)
{
    PortmapCall narrow = call_;
    narrow.keys = R"("conditionsV4": ["-s", "10.0.0.0/8", "!", "-i", "lo"], )";
    net().add(kPodOne, narrow);
    EXPECT_EQ(net().check(kPodOne, narrow).status, 0);

    PortmapCall wide = call_;
    wide.keys = R"("conditionsV4": ["-s", "10.0.0.0/7", "!", "-i", "lo"], )";
    const PluginOutcome outcome = net().check(kPodOne, wide);

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("could not check ipv4 dnat: "));
}

TEST_P(PortmapIptables, CheckNamesTheMissingChain)
{
    const PluginOutcome outcome = net().check(kPodOne, call_);

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("could not check ipv4 dnat: chain CNI-DN-"));
    EXPECT_THAT(outcome.out, HasSubstr(" not found in iptables table nat"));
}

}  // namespace
}  // namespace tortie::test
