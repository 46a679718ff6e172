// SPDX-License-Identifier: Apache-2.0
//
// Beside the Go plugin v1.9.1: the same chains and rules, byte for byte, and each cleans up what
// the other made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "harness/traffic.h"
#include "netns/portmap_node.h"

namespace tortie::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string seventeen_ports()
{
    std::string all = tcp(1, 2);
    for (int port = 2; port <= 17; port++)
        all += "," + tcp(port, port + 1000);
    return all;
}

struct Sameness {
    const char *name;
    PortmapCall call;
};

std::vector<Sameness> configurations()
{
    const std::string everything = tcp(8080, 80) + "," + udp(53, 5353) + "," +
                                   tcp(8081, 81, "192.0.2.1") + "," + tcp(8082, 82, "2001:db8::1") +
                                   R"(, {"hostPort": 9, "containerPort": 10, "protocol": "sctp"})";
    return {
        {"OnePort", {.mappings = tcp(8080, 80)}},
        {"Ipv4Only", {.mappings = tcp(8080, 80), .ipv6 = false}},
        {"EveryProtocolAndHostIp", {.mappings = everything}},
        {"UnspecifiedHostIps", {.mappings = tcp(1, 2, "0.0.0.0") + "," + tcp(3, 4, "::")}},
        {"WithoutSnat", {.mappings = everything, .keys = R"("snat": false, )"}},
        {"MasqAll", {.mappings = everything, .keys = R"("masqAll": true, )"}},
        {"MarkBit0", {.mappings = everything, .keys = R"("markMasqBit": 0, )"}},
        {"MarkBit31", {.mappings = everything, .keys = R"("markMasqBit": 31, )"}},
        {"ExternalChain",
         {.mappings = everything, .keys = R"("externalSetMarkChain": "POSTROUTING-X", )"}},
        {"Conditions",
         {.mappings = everything,
          .keys = R"("conditionsV4": ["-s", "10.0.0.0/8", "!", "-d", "10.1.2.3"],
                     "conditionsV6": ["-m", "comment", "--comment", "a \"b\" c"], )"}},
        {"SeventeenPorts", {.mappings = seventeen_ports()}},
        {"TheSameMappingTwice", {.mappings = tcp(8080, 80) + "," + tcp(8080, 80)}},
        {"MixedCaseProtocols",
         {.mappings = R"({"hostPort": 1, "containerPort": 2, "protocol": "TCP"},
                         {"hostPort": 3, "containerPort": 4, "protocol": "tcp"},
                         {"hostPort": 5, "containerPort": 6, "protocol": "Udp"})"}},
        {"ALongNetworkName", {.mappings = tcp(8080, 80), .network = std::string(300, 'n')}},
        {"ALongContainerId", {.mappings = tcp(8080, 80), .container = std::string(230, 'c')}},
        {"AContainerIdAtTheCut", {.mappings = tcp(8080, 80), .container = std::string(229, 'c')}},
    };
}

class PortmapSameAsGo : public testing::TestWithParam<std::tuple<Way, Sameness>> {};

INSTANTIATE_TEST_SUITE_P(, PortmapSameAsGo,
                         testing::Combine(testing::Values(kIptablesNft, kIptablesLegacy),
                                          testing::ValuesIn(configurations())),
                         [](const auto &test) {
                             return std::string(std::get<1>(test.param).name) + "_" +
                                    std::get<0>(test.param).name;
                         });

TEST_P(PortmapSameAsGo, ByteForByte)
{
    TORTIE_NEEDS_ROOT();
    const auto go = go_portmap();
    if (!go)
        GTEST_SKIP() << "no Go plugins (TORTIE_GO_PLUGINS)";
    auto [way, sameness] = GetParam();
    // `ip6tables-legacy -C` of 1.8.9 takes any two ports for the same, so that the Go plugin thinks
    // all but a protocol's first port to be there already.
    sameness.call.ipv6 = sameness.call.ipv6 && !way.legacy_iptables;
    const PortmapNode by_go(way);
    const PortmapNode by_us(way);
    for (const PortmapNode *net : {&by_go, &by_us}) {  // for ExternalChain
        const std::string kind = way.legacy_iptables ? "-legacy" : "-nft";
        net->node().run({"iptables" + kind, "-t", "nat", "-N", "POSTROUTING-X"});
        net->node().run({"ip6tables" + kind, "-t", "nat", "-N", "POSTROUTING-X"});
    }

    const PluginOutcome theirs = by_go.call(*go, "ADD", kPodOne, sameness.call);
    const PluginOutcome answer = by_us.call(ours(), "ADD", kPodOne, sameness.call);

    ASSERT_EQ(theirs.status, 0) << theirs.out;
    ASSERT_EQ(answer.status, 0) << answer.out;
    EXPECT_EQ(by_us.saved_rules(), by_go.saved_rules());
    EXPECT_EQ(answer.out, theirs.out);
    // And both understand what the other made.
    EXPECT_EQ(by_us.call(*go, "CHECK", kPodOne, sameness.call).status, 0);
    const PluginOutcome checked = by_go.check(kPodOne, sameness.call);
    EXPECT_EQ(checked.status, 0) << checked.out;
    by_go.del(kPodOne, sameness.call);
    EXPECT_EQ(by_us.call(*go, "DEL", kPodOne, sameness.call).status, 0);
    EXPECT_EQ(by_us.saved_rules(), by_go.saved_rules());
    EXPECT_THAT(by_us.saved_rules(), Not(HasSubstr("CNI-DN-")));
}

class PortmapUpgrade : public testing::TestWithParam<Way> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        if (!go_portmap())
            GTEST_SKIP() << "no Go plugins (TORTIE_GO_PLUGINS)";
        net_.emplace(GetParam());
    }

    const PortmapCall call_ = {.mappings = tcp(8080, 80) + "," + udp(53, 53)};
    std::optional<PortmapNode> net_;
};

INSTANTIATE_TEST_SUITE_P(, PortmapUpgrade,
                         testing::Values(kIptablesNft, kIptablesLegacy, kNftables),
                         [](const auto &test) { return test.param.name; });

TEST_P(PortmapUpgrade, DelRemovesWhatTheGoPluginAdded)
{
    const AddressEcho server(net_->netns_of(kPodOne), Transport::kTcp, 80, "one");
    ASSERT_EQ(net_->call(*go_portmap(), "ADD", kPodOne, call_).status, 0);
    ASSERT_EQ(ask(net_->outside(), Transport::kTcp, "192.0.2.1", 8080), "one 192.0.2.2");

    net_->del(kPodOne, call_);

    EXPECT_TRUE(nobody_answers(net_->outside(), Transport::kTcp, "192.0.2.1", 8080));
    EXPECT_THAT(net_->node().run({"nft", "list", "ruleset"}), Not(HasSubstr("10.66.0.2")));
}

TEST_P(PortmapUpgrade, DelForgetsTheFlowsThatTheGoPluginsRulesMade)
{
    const AddressEcho server(net_->netns_of(kPodOne), Transport::kUdp, 53, "pod");
    const AddressEcho local(net_->node(), Transport::kUdp, 53, "node");
    ASSERT_EQ(net_->call(*go_portmap(), "ADD", kPodOne, call_).status, 0);
    Client client(net_->outside(), Transport::kUdp, "192.0.2.1", 53, 40000);
    ASSERT_EQ(client.ask(), "pod 192.0.2.2");

    net_->del(kPodOne, call_);

    EXPECT_EQ(client.ask(), "node 192.0.2.2");
}

TEST_P(PortmapUpgrade, DelRemovesWhatTheGoPluginAddedUnderAnotherBackend)
{
    const PortmapNode other(std::string_view(GetParam().backend) == "nftables" ? kIptablesNft
                                                                               : kNftables);
    ASSERT_EQ(net_->call(*go_portmap(), "ADD", kPodOne, call_).status, 0);

    const PluginOutcome outcome = net_->node().inside([&] {
        auto env = net_->env_of("DEL", kPodOne, call_);
        return run_plugin({.binary = ours(),
                           .env = env,
                           .input = other.config_of(kPodOne, call_),
                           .arguments = {}});
    });

    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_THAT(net_->saved_rules() + net_->node().run({"nft", "list", "ruleset"}),
                Not(HasSubstr("10.66.0.2")));
}

TEST_P(PortmapUpgrade, CheckAcceptsWhatTheGoPluginAdded)
{
    ASSERT_EQ(net_->call(*go_portmap(), "ADD", kPodOne, call_).status, 0);

    const PluginOutcome checked = net_->check(kPodOne, call_);
    EXPECT_EQ(checked.status, 0) << checked.out;

    EXPECT_EQ(net_->check(kPodTwo, call_).status, 1);
    const PortmapCall more = {.mappings = call_.mappings + "," + tcp(8081, 81)};
    EXPECT_EQ(net_->check(kPodOne, more).status, 1);
    ASSERT_EQ(net_->call(*go_portmap(), "DEL", kPodOne, call_).status, 0);
    EXPECT_EQ(net_->check(kPodOne, call_).status, 1);
}

TEST_P(PortmapUpgrade, GoPluginsDelOfOurAddSucceeds)
{
    net_->add(kPodOne, call_);

    EXPECT_EQ(net_->call(*go_portmap(), "DEL", kPodOne, call_).status, 0);

    net_->del(kPodOne, call_);  // and ours after it finds what it did not know
    EXPECT_THAT(net_->saved_rules() + net_->node().run({"nft", "list", "ruleset"}),
                Not(HasSubstr("10.66.0.2")));
}

}  // namespace
}  // namespace tortie::test
