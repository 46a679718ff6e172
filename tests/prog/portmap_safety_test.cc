// SPDX-License-Identifier: Apache-2.0
//
// Beside a firewall, and beside conntrack's own idea of when a flow ends.
#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "base/pause.h"
#include "prog/packet.h"
#include "prog/portmap_node.h"

namespace tortie::test {
namespace {

// Netfilter decides about every new connection.
class PortmapSafety : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.emplace(GetParam());
        ASSERT_TRUE(node_->object.loaded());
        if (!node_->object.can_adopt())
            GTEST_SKIP() << "this kernel's conntrack cannot be asked";
        node_->publish();
        node_->attach(Way::kBest);
    }

    std::uint64_t counted(pm_count what) const { return node_->object.counted(what); }
    // One packet that came by an uplink, through the program alone.
    Verdict from_uplink(const std::string &device, Bytes bytes) const
    {
        return node_->node.inside([&] {
            const auto mac = mac_of(device);
            std::copy(mac.begin(), mac.end(), bytes.begin());
            return node_->object.run(node_->object.skeleton().progs.tt_pm_ingress, bytes,
                                     node_->ifindex(device));
        });
    }
    void forward_rule(const std::string &rule) const
    {
        node_->node.run({"nft",
                         "add table inet f; add chain inet f c { type filter hook forward "
                         "priority 0; }; add rule inet f c " +
                             rule});
    }

    std::optional<PortmapNode> node_;
};

TEST_P(PortmapSafety, ARefusedConnectionIsNeverCarried)
{
    forward_rule("ct status dnat drop");

    EXPECT_TRUE(nobody_answers(node_->client, Transport::kTcp, node_->node_address(), kHostPort));
    EXPECT_TRUE(nobody_answers(node_->client, Transport::kUdp, node_->node_address(), kHostPort));

    EXPECT_EQ(counted(TORTIE_PM_FORWARDED) + counted(TORTIE_PM_REPLIED), 0u);
    EXPECT_EQ(node_->object.flows(), 0u);
}

TEST_P(PortmapSafety, NewConnectionsAreRefusedWhileAnOldOneIsCarried)
{
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(5));

    forward_rule("ct state new drop");

    EXPECT_TRUE(talk.exchange(5));
    EXPECT_TRUE(nobody_answers(node_->client, Transport::kUdp, node_->node_address(), kHostPort));
}

TEST_P(PortmapSafety, AFlowThatConntrackForgotIsNotCarriedFromTheNextLookOn)
{
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");
    Client client(node_->client, Transport::kUdp, node_->node_address(), kHostPort);
    node_->object.state().interval = 1;
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(client.ask());
    ASSERT_GE(counted(TORTIE_PM_FORWARDED), 1u);
    forward_rule("ct status dnat drop");

    node_->node.run({"conntrack", "-D", "-p", "udp"});
    pause_for(std::chrono::milliseconds(20));

    EXPECT_FALSE(client.ask(300));
    EXPECT_GE(counted(TORTIE_PM_FORGOTTEN), 1u);
}

TEST_P(PortmapSafety, ALostTableIsFilledAgainUnderALiveConnection)
{
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(10, 2000));

    for (int i = 0; i < 5; ++i) {
        node_->object.flush_flows();
        EXPECT_TRUE(talk.exchange(10, 2000));
    }

    EXPECT_GE(counted(TORTIE_PM_ADOPTED_FORWARD) + counted(TORTIE_PM_ADOPTED_REPLY), 6u);
}

TEST_P(PortmapSafety, AHalfClosedConnectionStillDelivers)
{
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(3));

    talk.client_stops();

    EXPECT_TRUE(talk.server_says(40'000));
    EXPECT_GE(counted(TORTIE_PM_CLOSED), 1u);
}

TEST_P(PortmapSafety, ConntracksEntryLivesNoLongerThanItsConnection)
{
    {
        const Conversation talk(*node_);
        ASSERT_TRUE(talk.connected());
        EXPECT_TRUE(talk.exchange(3));
        talk.client_stops();
        talk.server_stops();
        pause_for(std::chrono::milliseconds(50));
    }
    const std::string listed =
        node_->node.run({"conntrack", "-L", "-f", GetParam() ? "ipv6" : "ipv4", "-p", "tcp"});
    // "tcp      6 9 ESTABLISHED src=...": the number is the seconds it has left.
    int left_s = -1;
    ASSERT_EQ(std::sscanf(listed.c_str(), "tcp 6 %d", &left_s), 1) << listed;
    EXPECT_LE(left_s, 10) << listed;
}

TEST_P(PortmapSafety, ConntracksEntryIsGivenTimeToLiveAtEveryLook)
{
    node_->object.state().interval = 1;
    node_->object.state().udp_stream_ms = 77'000;
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");
    Client client(node_->client, Transport::kUdp, node_->node_address(), kHostPort);

    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(client.ask());
        pause_for(std::chrono::milliseconds(5));
    }

    const std::string listed =
        node_->node.run({"conntrack", "-L", "-f", GetParam() ? "ipv6" : "ipv4", "-p", "udp"});
    int left_s = -1;
    ASSERT_EQ(std::sscanf(listed.c_str(), "udp 17 %d", &left_s), 1) << listed;
    EXPECT_GE(left_s, 70) << listed;
    EXPECT_LE(left_s, 77) << listed;
}

// Seconds that conntrack gives the one TCP flow there is; -1 when there is none.
int seconds_left(const Netns &where, bool v6)
{
    const std::string listed =
        where.run({"conntrack", "-L", "-f", v6 ? "ipv6" : "ipv4", "-p", "tcp"});
    int left_s = -1;
    return std::sscanf(listed.c_str(), "tcp 6 %d", &left_s) == 1 ? left_s : -1;
}

TEST_P(PortmapSafety, AForgedResetDoesNotEndAConnectionThatGoesOn)
{
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(3));
    Shape reset = {.from = {GetParam() ? "2001:db8:1::2" : "192.0.2.2", talk.client_port()},
                   .to = {node_->node_address(), kHostPort},
                   .l4_proto = IPPROTO_TCP};
    reset.tcp_flags = 0x04;
    EXPECT_EQ(from_uplink("up0", packet(reset)).action, TC_ACT_REDIRECT);
    ASSERT_LE(seconds_left(node_->node, GetParam()), 10);

    node_->object.state().interval = 1;  // the next look is due
    pause_for(std::chrono::milliseconds(20));
    EXPECT_TRUE(talk.exchange(3));

    EXPECT_GT(seconds_left(node_->node, GetParam()), 1000);
}

TEST_P(PortmapSafety, AClientThatComesByAnotherUplinkIsFollowedOnlyWhereTheKernelWould)
{
    veth_pair(node_->client, "eth1", node_->node, "up1");
    node_->node.ip({"link", "set", "up1", "up"});
    node_->object.add_uplink(node_->ifindex("up1"));
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(3));
    const Shape elsewhere = {
        .from = {GetParam() ? "2001:db8:1::2" : "192.0.2.2", talk.client_port()},
        .to = {node_->node_address(), kHostPort},
        .l4_proto = IPPROTO_TCP};

    // The way back is up0. Strict reverse path filtering exists for IPv4 only.
    const Verdict strict = from_uplink("up1", packet(elsewhere));
    EXPECT_EQ(strict.action, GetParam() ? TC_ACT_REDIRECT : TC_ACT_UNSPEC);
    EXPECT_EQ(counted(TORTIE_PM_OTHER_UPLINK), GetParam() ? 0u : 1u);
    EXPECT_TRUE(talk.exchange(3));

    node_->object.add_uplink(node_->ifindex("up1"), 1500, TORTIE_PM_UPLINK_LOOSE);
    EXPECT_EQ(from_uplink("up1", packet(elsewhere)).action, TC_ACT_REDIRECT);
    EXPECT_TRUE(talk.exchange(3));
    EXPECT_GE(counted(TORTIE_PM_REBOUND), 2u);  // there and back again
    EXPECT_EQ(counted(TORTIE_PM_FORGOTTEN), 0u);
}

TEST_P(PortmapSafety, ConnectionsStraightToThePodAreNotLookedUpPacketByPacket)
{
    const Conversation talk(*node_, node_->pod_address(), kPodPort);
    ASSERT_TRUE(talk.connected());

    EXPECT_TRUE(talk.exchange(50));

    EXPECT_GE(counted(TORTIE_PM_DAMPED), 45u);
    EXPECT_LE(counted(TORTIE_PM_OTHERS_FLOW), 10u);
    EXPECT_EQ(counted(TORTIE_PM_FORWARDED) + counted(TORTIE_PM_REPLIED), 0u);
}

TEST_P(PortmapSafety, DatagramsThatNobodyAnswersAreNotLookedUpOneByOne)
{
    const UniqueFd silent = node_->pod.inside([] {
        UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 here{};
        here.sin6_family = AF_INET6;
        here.sin6_port = htons(kPodPort);
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr *>(&here), sizeof(here)), 0);
        return socket;
    });
    Client client(node_->client, Transport::kUdp, node_->node_address(), kHostPort);

    for (int i = 0; i < 50; ++i)
        EXPECT_FALSE(client.ask(1));

    EXPECT_GE(counted(TORTIE_PM_DAMPED), 30u);
    EXPECT_LE(counted(TORTIE_PM_UNSETTLED) + counted(TORTIE_PM_UNKNOWN_FLOW), 20u);
}

INSTANTIATE_TEST_SUITE_P(Families, PortmapSafety, ::testing::Bool(),
                         [](const auto &of) { return of.param ? "IPv6" : "IPv4"; });

}  // namespace
}  // namespace tortie::test
