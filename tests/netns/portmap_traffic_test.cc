// SPDX-License-Identifier: Apache-2.0
//
// Who reaches a host port, and as whom the pod sees them: the same for every way of publishing.
// Each server answers with its name and the source address it saw.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "harness/traffic.h"
#include "netns/portmap_node.h"

namespace tortie::test {
namespace {

constexpr const char *kUplink = "192.0.2.1";
constexpr const char *kSecondAddress = "192.0.2.10";
constexpr const char *kBridge = "10.66.0.1";
constexpr const char *kBridge6 = "fd00:66::1";
constexpr const char *kUplink6 = "2001:db8::1";
constexpr Transport kTcp = Transport::kTcp;
constexpr Transport kUdp = Transport::kUdp;

class PortmapTraffic : public testing::TestWithParam<Way> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        if (GetParam().ebpf())
            TORTIE_NEEDS_BPF();
        net_.emplace(GetParam());
        one_.emplace(net_->netns_of(kPodOne), kTcp, 80, "one");
        two_.emplace(net_->netns_of(kPodTwo), kTcp, 80, "two");
    }

    const PortmapNode &net() const { return *net_; }
    const Netns &node() const { return net_->node(); }
    const Netns &outside() const { return net_->outside(); }
    // Conntrack does not know its flows.
    static bool takes_first_packets()
    {
        return std::string_view(GetParam().datapath) == "ebpf-full";
    }
    const Netns &pod(const Pod &pod) const { return net_->netns_of(pod); }

    std::optional<PortmapNode> net_;
    std::optional<AddressEcho> one_;
    std::optional<AddressEcho> two_;
};

INSTANTIATE_TEST_SUITE_P(, PortmapTraffic,
                         testing::Values(kIptablesNft, kIptablesLegacy, kNftables, kEbpf,
                                         kEbpfClsact, kEbpfFull),
                         [](const auto &test) { return test.param.name; });

TEST_P(PortmapTraffic, ReachesThePodFromOutsideOnEveryAddressOfTheNode)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 192.0.2.2");
    EXPECT_EQ(ask(outside(), kTcp, kSecondAddress, 8080), "one 192.0.2.2");
    EXPECT_EQ(ask(outside(), kTcp, kBridge, 8080), "one 192.0.2.2");
    EXPECT_EQ(ask(outside(), kTcp, kUplink6, 8080), "one 2001:db8::2");
    if (GetParam().ebpf()) {
        EXPECT_GT(net().count(TORTIE_PM_FORWARDED), 0U);
        EXPECT_GT(net().count(TORTIE_PM_REPLIED), 0U);
    }
}

TEST_P(PortmapTraffic, ReachesThePodFromTheNodesOwnAddresses)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(ask(node(), kTcp, kUplink, 8080), "one 192.0.2.1");
    EXPECT_EQ(ask(node(), kTcp, kBridge, 8080), "one 10.66.0.1");
    EXPECT_EQ(ask(node(), kTcp, kUplink6, 8080), "one 2001:db8::1");
}

TEST_P(PortmapTraffic, ReachesThePodFromLocalhostMasqueraded)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(ask(node(), kTcp, "127.0.0.1", 8080), "one 10.66.0.1");
    EXPECT_EQ(ask(node(), kTcp, "127.0.0.2", 8080), "one 10.66.0.1");
    EXPECT_TRUE(nobody_answers(node(), kTcp, "::1", 8080));
}

TEST_P(PortmapTraffic, ReachesThePodFromItselfAndItsNeighbourMasqueraded)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(ask(pod(kPodOne), kTcp, kUplink, 8080), "one 10.66.0.1");
    EXPECT_EQ(ask(pod(kPodTwo), kTcp, kUplink, 8080), "one 10.66.0.1");
    EXPECT_EQ(ask(pod(kPodOne), kTcp, kUplink6, 8080), "one fd00:66::1");
    EXPECT_EQ(ask(pod(kPodTwo), kTcp, kBridge6, 8080), "one fd00:66::1");
}

TEST_P(PortmapTraffic, DoesNotTouchTheContainersOwnAddress)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_TRUE(nobody_answers(outside(), kTcp, kPodOne.ipv4, 8080));
    EXPECT_EQ(ask(outside(), kTcp, kPodOne.ipv4, 80), "one 192.0.2.2");
}

// CVE-2025-67499.
TEST_P(PortmapTraffic, NeverCatchesWhatOnlyPassesThrough)
{
    const AddressEcho other(outside(), kTcp, 8080, "outside");
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(ask(pod(kPodOne), kTcp, "192.0.2.2", 8080), "outside 10.66.0.2");
    EXPECT_EQ(ask(node(), kTcp, "192.0.2.2", 8080), "outside 192.0.2.1");
}

TEST_P(PortmapTraffic, PublishesOnExactlyTheHostIp)
{
    net().add(kPodOne,
              {.mappings = tcp(8080, 80, kSecondAddress) + "," + tcp(8081, 80, "2001:db8::1")});

    EXPECT_EQ(ask(outside(), kTcp, kSecondAddress, 8080), "one 192.0.2.2");
    EXPECT_TRUE(nobody_answers(outside(), kTcp, kUplink, 8080));
    EXPECT_TRUE(nobody_answers(node(), kTcp, "127.0.0.1", 8080));
    EXPECT_EQ(ask(outside(), kTcp, kUplink6, 8081), "one 2001:db8::2");
    EXPECT_TRUE(nobody_answers(outside(), kTcp, kBridge6, 8081));
    EXPECT_TRUE(nobody_answers(outside(), kTcp, kUplink, 8081));
}

TEST_P(PortmapTraffic, TakesTheUnspecifiedHostIpForItsOwnFamilyOnly)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80, "0.0.0.0") + "," + tcp(8081, 80, "::")});

    EXPECT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 192.0.2.2");
    EXPECT_TRUE(nobody_answers(outside(), kTcp, kUplink6, 8080));
    EXPECT_EQ(ask(outside(), kTcp, kUplink6, 8081), "one 2001:db8::2");
    EXPECT_TRUE(nobody_answers(outside(), kTcp, kUplink, 8081));
}

TEST_P(PortmapTraffic, WithoutSnatServesNeitherLocalhostNorHairpin)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80), .keys = R"("snat": false, )"});

    EXPECT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 192.0.2.2");
    EXPECT_EQ(ask(node(), kTcp, kUplink, 8080), "one 192.0.2.1");
    EXPECT_TRUE(nobody_answers(node(), kTcp, "127.0.0.1", 8080));
    EXPECT_TRUE(nobody_answers(pod(kPodOne), kTcp, kUplink, 8080));
}

TEST_P(PortmapTraffic, WithMasqAllShowsThePodOnlyTheNode)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80), .keys = R"("masqAll": true, )"});

    EXPECT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 10.66.0.1");
    EXPECT_EQ(ask(outside(), kTcp, kUplink6, 8080), "one fd00:66::1");
    EXPECT_EQ(ask(outside(), kTcp, kPodOne.ipv4, 80), "one 192.0.2.2");
}

// Known defect 729 of the Go plugin: the frame is translated before any martian test.
TEST_P(PortmapTraffic, NeverCatchesAFrameOfTheLanToLocalhost)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80) + "," + tcp(8081, 80, "127.0.0.1")});
    outside().ip({"addr", "del", "127.0.0.1/8", "dev", "lo"});
    outside().ip({"link", "set", "lo", "down"});
    outside().ip({"route", "add", "127.0.0.1/32", "via", kUplink, "src", "192.0.2.2"});
    outside().run({"sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1"});

    EXPECT_TRUE(nobody_answers(outside(), kTcp, "127.0.0.1", 8080));
    EXPECT_TRUE(nobody_answers(outside(), kTcp, "127.0.0.1", 8081));
    EXPECT_EQ(ask(node(), kTcp, "127.0.0.1", 8081), "one 10.66.0.1");
}

TEST_P(PortmapTraffic, CarriesUdp)
{
    const AddressEcho server(pod(kPodOne), kUdp, 53, "dns");
    net().add(kPodOne, {.mappings = udp(5353, 53)});

    EXPECT_EQ(ask(outside(), kUdp, kUplink, 5353), "dns 192.0.2.2");
    EXPECT_EQ(ask(node(), kUdp, "127.0.0.1", 5353), "dns 10.66.0.1");
    EXPECT_EQ(ask(outside(), kUdp, kUplink6, 5353), "dns 2001:db8::2");
}

TEST_P(PortmapTraffic, SendsAUdpClientThatKeepsItsPortToTheNewPod)
{
    const AddressEcho first(pod(kPodOne), kUdp, 53, "first");
    const AddressEcho second(pod(kPodTwo), kUdp, 53, "second");
    net().add(kPodOne, {.mappings = udp(5353, 53)});
    Client client(outside(), kUdp, kUplink, 5353, 40000);
    ASSERT_EQ(client.ask(), "first 192.0.2.2");

    net().del(kPodOne, {.mappings = udp(5353, 53)});
    net().add(kPodTwo, {.mappings = udp(5353, 53)});

    EXPECT_EQ(client.ask(), "second 192.0.2.2");
}

// Known defect 1190: after DEL the node's own process gets the port back at once.
TEST_P(PortmapTraffic, GivesTheUdpPortBackToTheNodeAfterDel)
{
    const AddressEcho server(pod(kPodOne), kUdp, 53, "pod");
    const AddressEcho local(node(), kUdp, 5353, "node");
    net().add(kPodOne, {.mappings = udp(5353, 53)});
    Client client(outside(), kUdp, kUplink, 5353, 40000);
    ASSERT_EQ(client.ask(), "pod 192.0.2.2");

    net().del(kPodOne, {.mappings = udp(5353, 53)});

    EXPECT_EQ(client.ask(), "node 192.0.2.2");
}

// A client that comes back with the same four numbers would be sent to a dead container.
TEST_P(PortmapTraffic, ForgetsTcpFlowsOfBothFamiliesOnDel)
{
    const std::string mappings = tcp(8080, 80) + "," + tcp(8081, 80, kUplink);
    const auto tracked = [&](const char *family) {
        return node().run({"conntrack", "-L", "-f", family, "-p", "tcp"});
    };
    net().add(kPodOne, {.mappings = mappings});
    ASSERT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 192.0.2.2");
    ASSERT_EQ(ask(outside(), kTcp, kUplink, 8081), "one 192.0.2.2");
    ASSERT_EQ(ask(outside(), kTcp, kUplink6, 8080), "one 2001:db8::2");
    if (!takes_first_packets()) {
        ASSERT_THAT(tracked("ipv4"), testing::HasSubstr("dport=8080"));
    }

    net().del(kPodOne, {.mappings = ""});

    EXPECT_THAT(tracked("ipv4"), testing::Not(testing::HasSubstr("dport=808")));
    EXPECT_THAT(tracked("ipv6"), testing::Not(testing::HasSubstr("dport=808")));
}

TEST_P(PortmapTraffic, TakesUdpFlowsOverThatTheNodeAnsweredBefore)
{
    const AddressEcho server(pod(kPodOne), kUdp, 53, "pod");
    const AddressEcho local(node(), kUdp, 5353, "node");
    Client client(outside(), kUdp, kUplink, 5353, 40000);
    ASSERT_EQ(client.ask(), "node 192.0.2.2");

    net().add(kPodOne, {.mappings = udp(5353, 53)});

    EXPECT_EQ(client.ask(), "pod 192.0.2.2");
}

TEST_P(PortmapTraffic, LeavesAnotherPodsUdpFlowsAloneOnAddAndDel)
{
    const AddressEcho server(pod(kPodOne), kUdp, 53, "one");
    const AddressEcho other(pod(kPodTwo), kUdp, 53, "two");
    net().add(kPodOne, {.mappings = udp(5353, 53)});
    Client client(outside(), kUdp, kUplink, 5353, 40000);
    ASSERT_EQ(client.ask(), "one 192.0.2.2");
    const std::string before = node().run({"conntrack", "-L", "-p", "udp", "-o", "id"});

    net().add(kPodTwo, {.mappings = udp(5353, 53) + "," + udp(5354, 53)});
    net().del(kPodTwo, {.mappings = udp(5353, 53) + "," + udp(5354, 53)});

    const std::string after = node().run({"conntrack", "-L", "-p", "udp", "-o", "id"});
    if (!takes_first_packets()) {
        EXPECT_EQ(before.substr(before.rfind("id=")), after.substr(after.rfind("id=")));
    }
    EXPECT_EQ(client.ask(), "one 192.0.2.2");
}

TEST_P(PortmapTraffic, LeavesLiveTcpFlowsToOtherPodsAloneAlsoAsTheLastHostPort)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});
    Client client(outside(), kTcp, "10.66.0.3", 80);
    ASSERT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 192.0.2.2");

    net().del(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_EQ(client.ask(), "two 192.0.2.2");
    EXPECT_TRUE(nobody_answers(outside(), kTcp, kUplink, 8080));
}

TEST_P(PortmapTraffic, LeavesAContestedPortToTheOlderUntilItGoes)
{
    net().add(kPodOne, {.mappings = tcp(8080, 80)});
    const PluginOutcome younger = net().call(ours(), "ADD", kPodTwo, {.mappings = tcp(8080, 80)});
    EXPECT_EQ(younger.status, 0);
    EXPECT_THAT(younger.err, testing::HasSubstr("one"));  // the log names the holder

    EXPECT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 192.0.2.2");
    net().del(kPodOne, {.mappings = tcp(8080, 80)});
    EXPECT_EQ(ask(outside(), kTcp, kUplink, 8080), "two 192.0.2.2");
}

TEST_P(PortmapTraffic, KeepsConditionsOfTwoNetworksApart)
{
    const bool iptables = std::string_view(GetParam().backend) == "iptables";
    const std::string conditions = iptables
                                       ? R"("conditionsV4": ["-s", "203.0.113.0/24"], )"
                                       : R"("conditionsV4": ["ip", "saddr", "203.0.113.0/24"], )";
    net().add(kPodOne, {.mappings = tcp(8080, 80)});
    net().add(kPodTwo, {.mappings = tcp(8081, 80), .keys = conditions, .network = "strict"});

    EXPECT_EQ(ask(outside(), kTcp, kUplink, 8080), "one 192.0.2.2");
    EXPECT_TRUE(nobody_answers(outside(), kTcp, kUplink, 8081));
    EXPECT_EQ(
        net()
            .check(kPodTwo, {.mappings = tcp(8081, 80), .keys = conditions, .network = "strict"})
            .status,
        0);
}

}  // namespace
}  // namespace tortie::test
