// SPDX-License-Identifier: Apache-2.0
//
// Flows taken from their first packet, with no rule of netfilter that could have carried them.
#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include <gtest/gtest.h>

#include "prog/packet.h"
#include "prog/portmap_node.h"

namespace tortie::test {
namespace {

constexpr std::uint32_t kFull = TORTIE_PM_MAY_ADOPT | TORTIE_PM_MAY_FULL;

class PortmapFull : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.emplace(GetParam());
        ASSERT_TRUE(node_->object.loaded());
        node_->publish(kFull);
        node_->object.state().full = 1;
    }

    // Whatever is carried from here on, BPF carries alone.
    void without_netfilter() const { node_->node.run({"nft", "flush", "ruleset"}); }

    std::uint64_t counted(pm_count what) const { return node_->object.counted(what); }

    std::optional<PortmapNode> node_;
};

TEST_P(PortmapFull, CarriesATcpConnectionFromItsSynOn)
{
    without_netfilter();
    node_->attach(Way::kBest);

    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(20));

    EXPECT_EQ(counted(TORTIE_PM_OPENED), 1u);
    EXPECT_EQ(counted(TORTIE_PM_ESTABLISHED), 1u);
    EXPECT_GE(counted(TORTIE_PM_FORWARDED), 22u);
    EXPECT_GE(counted(TORTIE_PM_REPLIED), 21u);
}

TEST_P(PortmapFull, CarriesADatagramAndItsAnswer)
{
    if (!node_->object.can_adopt())
        GTEST_SKIP() << "this kernel's conntrack cannot be asked: datagrams are netfilter's";
    without_netfilter();
    node_->attach(Way::kClsact);
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");

    for (int i = 0; i < 5; ++i)
        EXPECT_NE(ask(node_->client, Transport::kUdp, node_->node_address(), kHostPort), "nobody");

    EXPECT_EQ(counted(TORTIE_PM_OPENED), 5u);
    EXPECT_EQ(counted(TORTIE_PM_ESTABLISHED), 5u);
}

TEST_P(PortmapFull, LeavesTheAnswerToAFlowOfTheNodesOwn)
{
    // The node asks from the very port that is mapped; conntrack knows its flow.
    node_->attach(Way::kBest);
    const AddressEcho server(node_->client, Transport::kUdp, 9000, "client");
    Client asks(node_->node, Transport::kUdp, GetParam() ? "2001:db8:1::2" : "192.0.2.2", 9000,
                kHostPort);

    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(asks.ask());

    EXPECT_EQ(counted(TORTIE_PM_OPENED), 0u);
    EXPECT_EQ(counted(TORTIE_PM_FORWARDED), 0u);
}

TEST_P(PortmapFull, LeavesAddressesAloneThatAreNotTheNodes)
{
    node_->attach(Way::kBest);
    const AddressEcho server(node_->pod, Transport::kTcp, kHostPort, "pod itself");

    EXPECT_NE(ask(node_->client, Transport::kTcp, node_->pod_address(), kHostPort), "nobody");

    EXPECT_EQ(counted(TORTIE_PM_FORWARDED), 0u);
    EXPECT_GE(counted(TORTIE_PM_NO_MAPPING), 1u);
}

TEST_P(PortmapFull, TakesNothingWithoutTheSwitch)
{
    node_->object.state().full = 0;
    node_->attach(Way::kBest);

    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(3));

    EXPECT_EQ(counted(TORTIE_PM_OPENED), 0u);
    if (node_->object.can_adopt()) {
        EXPECT_EQ(counted(TORTIE_PM_ADOPTED_FORWARD) + counted(TORTIE_PM_ADOPTED_REPLY), 1u);
    }
}

TEST_P(PortmapFull, SurvivesBeingSwitchedOffOnceWithATcpConnection)
{
    node_->attach(Way::kBest);
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(10, 5000));
    EXPECT_EQ(counted(TORTIE_PM_OPENED), 1u);

    node_->object.state().off = 1;

    // Conntrack picks the connection up in the middle, as one that the client begins.
    EXPECT_TRUE(talk.exchange(10, 5000));
    EXPECT_GE(counted(TORTIE_PM_OFF), 20u);
}

TEST_P(PortmapFull, CarriesOnWithAConnectionThatIsOpenedAnewWithTheSamePorts)
{
    without_netfilter();
    node_->attach(Way::kBest);
    const AddressEcho server(node_->pod, Transport::kTcp, kPodPort, "pod");
    for (int i = 0; i < 3; ++i) {
        Client again(node_->client, Transport::kTcp, node_->node_address(), kHostPort, 45000);
        EXPECT_TRUE(again.ask());
    }

    EXPECT_EQ(counted(TORTIE_PM_COLLISION), 0u);
}

TEST_P(PortmapFull, SurvivesBeingSwitchedOffOnceWithAUdpFlow)
{
    if (!node_->object.can_adopt())
        GTEST_SKIP() << "this kernel's conntrack cannot be asked: datagrams are netfilter's";
    node_->attach(Way::kBest);
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");
    Client client(node_->client, Transport::kUdp, node_->node_address(), kHostPort);
    EXPECT_TRUE(client.ask());
    EXPECT_EQ(counted(TORTIE_PM_OPENED), 1u);

    node_->object.state().off = 1;

    EXPECT_TRUE(client.ask());
    EXPECT_GE(counted(TORTIE_PM_OFF), 1u);
}

INSTANTIATE_TEST_SUITE_P(Families, PortmapFull, ::testing::Bool(),
                         [](const auto &of) { return of.param ? "IPv6" : "IPv4"; });

// Single packets.
class PortmapFullPacket : public PortmapFull {
protected:
    void SetUp() override
    {
        PortmapFull::SetUp();
        without_netfilter();
        up_ = node_->ifindex("up0");
        pod_ = node_->ifindex("pod0");
    }

    Endpoint client(std::uint16_t port = 40000) const
    {
        return {GetParam() ? "2001:db8:1::2" : "192.0.2.2", port};
    }
    Endpoint node() const { return {node_->node_address(), kHostPort}; }
    Endpoint pod() const { return {node_->pod_address(), kPodPort}; }

    // As if addressed to the device, whose own address BPF_PROG_TEST_RUN compares.
    Verdict run(const bpf_program *program, const std::string &device, Bytes bytes) const
    {
        return node_->node.inside([&] {
            const auto mac = mac_of(device);
            std::copy(mac.begin(), mac.end(), bytes.begin());
            return node_->object.run(program, bytes, device == "up0" ? up_ : pod_);
        });
    }
    Verdict ingress(const Bytes &bytes) const
    {
        return run(node_->object.skeleton().progs.tt_pm_ingress, "up0", bytes);
    }
    Verdict reply(const Bytes &bytes) const
    {
        return run(node_->object.skeleton().progs.tt_pm_reply, "pod0", bytes);
    }

    // What came out, without the Ethernet header.
    static Bytes ip_of(const Bytes &frame) { return {frame.begin() + 14, frame.end()}; }

    void open_tcp(std::uint16_t port = 40000) const
    {
        Shape syn = {.from = client(port), .to = node(), .l4_proto = IPPROTO_TCP};
        syn.tcp_flags = 0x02;
        ASSERT_EQ(ingress(packet(syn)).action, TC_ACT_REDIRECT);
    }
    void establish(std::uint16_t port = 40000) const
    {
        open_tcp(port);
        Shape answer = {.from = pod(), .to = client(port), .l4_proto = IPPROTO_TCP};
        answer.tcp_flags = 0x12;
        ASSERT_EQ(reply(packet(answer)).action, TC_ACT_REDIRECT);
        const Shape ack = {.from = client(port), .to = node(), .l4_proto = IPPROTO_TCP};
        ASSERT_EQ(ingress(packet(ack)).action, TC_ACT_REDIRECT);
    }

    unsigned up_ = 0;
    unsigned pod_ = 0;
};

TEST_P(PortmapFullPacket, IsTranslatedFromTheFirstOneOn)
{
    Shape syn = {.from = client(), .to = node(), .l4_proto = IPPROTO_TCP};
    Shape there = {.from = client(), .to = pod(), .l4_proto = IPPROTO_TCP, .ttl = 63};
    syn.tcp_flags = there.tcp_flags = 0x02;

    const Verdict got = ingress(packet(syn));

    EXPECT_EQ(got.action, TC_ACT_REDIRECT);
    EXPECT_EQ(ip_of(got.packet), ip_of(packet(there)));
    EXPECT_EQ(node_->object.flows(), 0u);
}

TEST_P(PortmapFullPacket, FromWhereNoPacketMayComeIsNetfilters)
{
    node_->node.ip({"route", "add", "default", "via", "192.0.2.2"});
    node_->node.ip({"route", "add", "default", "via", "2001:db8:1::2"});
    const std::vector<std::string> sources =
        GetParam()
            ? std::vector<std::string>{"::",      "::1",           "ff02::1",      "ff0e::99",
                                       "fe80::1", "2001:db8:1::1", "2001:db8:2::1"}
            : std::vector<std::string>{"0.0.0.0",     "0.1.2.3",   "127.0.0.1",
                                       "224.0.0.1",   "239.1.2.3", "255.255.255.255",
                                       "192.0.2.255", "192.0.2.1", "10.65.0.1"};
    for (const std::string &source : sources) {
        Shape syn = {.from = {source, 40000}, .to = node(), .l4_proto = IPPROTO_TCP};
        syn.tcp_flags = 0x02;

        EXPECT_EQ(ingress(packet(syn)).action, TC_ACT_UNSPEC) << source;
    }
    EXPECT_EQ(counted(TORTIE_PM_OPENED), 0u);
}

TEST_P(PortmapFullPacket, OfAConnectionItDidNotSeeOpenIsNetfilters)
{
    const Bytes sent = packet({.from = client(), .to = node(), .l4_proto = IPPROTO_TCP});

    EXPECT_EQ(ingress(sent).action, TC_ACT_UNSPEC);
    EXPECT_EQ(counted(TORTIE_PM_UNKNOWN_FLOW) + counted(TORTIE_PM_NO_CONNTRACK), 1u);
}

TEST_P(PortmapFullPacket, FloodOfSynsLeavesEstablishedFlowsInTheTable)
{
    establish(40000);
    ASSERT_EQ(node_->object.flows(), 2u);

    for (int i = 0; i < 10000; ++i)
        open_tcp(static_cast<std::uint16_t>(40001 + i));

    EXPECT_EQ(node_->object.flows(), 2u);
    const Shape more = {.from = client(), .to = node(), .l4_proto = IPPROTO_TCP};
    EXPECT_EQ(ingress(packet(more)).action, TC_ACT_REDIRECT);
}

TEST_P(PortmapFullPacket, WhoseTupleBehindTheTranslationIsInUseIsNetfilters)
{
    // The same client port to another address of the node, and the same pod behind it.
    node_->node.ip(
        {"address", "add", GetParam() ? "2001:db8:9::9/128" : "203.0.113.9/32", "dev", "lo"});
    if (GetParam())
        wait_until_local(node_->node, "2001:db8:9::9");
    establish();
    Shape other = {.from = client(), .to = node(), .l4_proto = IPPROTO_TCP};
    other.to.address = GetParam() ? "2001:db8:9::9" : "203.0.113.9";
    other.tcp_flags = 0x02;

    EXPECT_EQ(ingress(packet(other)).action, TC_ACT_UNSPEC);
    EXPECT_EQ(counted(TORTIE_PM_COLLISION), 1u);
}

TEST_P(PortmapFullPacket, IsLookedUpAnewWhenThePodIsGone)
{
    establish();

    node_->object.withdraw_pod(node_->pod_address());

    const Shape more = {.from = client(), .to = node(), .l4_proto = IPPROTO_TCP};
    EXPECT_EQ(ingress(packet(more)).action, TC_ACT_UNSPEC);
    EXPECT_EQ(counted(TORTIE_PM_FORGOTTEN), 1u);
    EXPECT_EQ(node_->object.flows(), 0u);
}

TEST_P(PortmapFullPacket, ThatIsAnErrorFromOutsideReachesThePodAsAboutItsOwn)
{
    establish();
    const std::string router = GetParam() ? "2001:db8:1::99" : "192.0.2.99";
    const Shape seen = {.from = node(), .to = client(), .l4_proto = IPPROTO_TCP, .ttl = 60};
    const Shape was = {.from = pod(), .to = client(), .l4_proto = IPPROTO_TCP, .ttl = 60};
    // The least that is quoted, and everything.
    for (const std::size_t quoted : {packet(seen).size() - 14 - 25, packet(seen).size() - 14}) {
        const Verdict got = ingress(too_big(router, node().address, packet(seen), quoted));

        EXPECT_EQ(got.action, TC_ACT_REDIRECT);
        EXPECT_TRUE(sums_are_right(got.packet));
        if (quoted == packet(seen).size() - 14) {
            EXPECT_EQ(ip_of(got.packet),
                      ip_of(too_big(router, pod().address, packet(was), quoted, 63)));
        }
    }
    EXPECT_EQ(counted(TORTIE_PM_ICMP_TRANSLATED), 2u);
}

TEST_P(PortmapFullPacket, ThatIsAnErrorFromThePodReachesTheClientAsFromTheNode)
{
    establish();
    const Shape seen = {.from = client(), .to = pod(), .l4_proto = IPPROTO_TCP, .ttl = 60};
    const Shape was = {.from = client(), .to = node(), .l4_proto = IPPROTO_TCP, .ttl = 60};
    const std::size_t quoted = packet(seen).size() - 14;

    const Verdict got = reply(too_big(pod().address, client().address, packet(seen), quoted));

    EXPECT_EQ(got.action, TC_ACT_REDIRECT);
    EXPECT_EQ(ip_of(got.packet),
              ip_of(too_big(node().address, client().address, packet(was), quoted, 63)));
}

TEST_P(PortmapFullPacket, ThatIsAnErrorAboutAnotherFlowIsNetfilters)
{
    establish();
    const Shape other = {.from = node(), .to = client(40001), .l4_proto = IPPROTO_TCP};
    const std::string router = GetParam() ? "2001:db8:1::99" : "192.0.2.99";
    const Bytes sent = too_big(router, node().address, packet(other), packet(other).size() - 14);

    const Verdict got = ingress(sent);

    EXPECT_EQ(got.action, TC_ACT_UNSPEC);
    EXPECT_EQ(ip_of(got.packet), ip_of(sent));
}

INSTANTIATE_TEST_SUITE_P(Families, PortmapFullPacket, ::testing::Bool(),
                         [](const auto &of) { return of.param ? "IPv6" : "IPv4"; });

}  // namespace
}  // namespace tortie::test
