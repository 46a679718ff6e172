// SPDX-License-Identifier: Apache-2.0
//
// Live flows while the programs that carry them are switched off and on, taken away, and replaced:
// no byte is lost, and the counters say who carried what. Conntrack is as strict as it comes
// (nf_conntrack_tcp_be_liberal = 0).
#include <unistd.h>

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/deadline.h"
#include "base/pause.h"
#include "datapath/ebpf_flows.h"
#include "datapath/ebpf_load.h"
#include "datapath/ebpf_numbers.h"
#include "datapath/ebpf_removal.h"
#include "harness/live_stream.h"
#include "harness/traffic.h"
#include "netns/portmap_node.h"
#include "sys/sysctl.h"

namespace tortie::test {
namespace {

using Flow = LiveStream::Flow;

class EbpfHandover : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_BPF();
        net_.emplace(kEbpf);
        net().node().inside(
            [] { EXPECT_TRUE(write_sysctl("netfilter/nf_conntrack_tcp_be_liberal", "0")); });
        // As firewalls do: what conntrack does not take for valid goes no further.
        net().node().run({"nft", "add", "table", "inet", "firewall"});
        net().node().run({"nft", "add", "chain", "inet", "firewall", "forward",
                          "{ type filter hook forward priority 1; }"});
        net().node().run({"nft", "add", "rule", "inet", "firewall", "forward", "ct", "state",
                          "invalid", "counter", "drop"});
        net().add(kPodOne, {.mappings = tcp(8080, 80) + "," + udp(5353, 53)});
    }

    const PortmapNode &net() const { return *net_; }

    template <class Work>
    auto on_node(Work work) const
    {
        return net().node().inside(work);
    }

    EbpfNode programs() const
    {
        return on_node([&] { return EbpfNode::open(settings_); }).value();
    }

    LiveStream stream_to_pod(Flow flow, const char *to = "192.0.2.1") const
    {
        return {net().outside(), to, 8080, net().netns_of(kPodOne), 80, flow};
    }

    // The programs carry packets again.
    bool carries(const LiveStream &stream) const
    {
        const Deadline deadline = Deadline::in(std::chrono::seconds(3));
        const auto forwarded = net().count(TORTIE_PM_FORWARDED);
        const auto replied = net().count(TORTIE_PM_REPLIED);
        while (!deadline.passed()) {
            if (!stream.moves())
                return false;
            if (net().count(TORTIE_PM_FORWARDED) > forwarded &&
                net().count(TORTIE_PM_REPLIED) > replied)
                return true;
        }
        return false;
    }

    std::optional<PortmapNode> net_;
    EbpfSettings settings_;
};

class EbpfHandoverOf : public EbpfHandover, public testing::WithParamInterface<Flow> {};

INSTANTIATE_TEST_SUITE_P(, EbpfHandoverOf, testing::Values(Flow::kUp, Flow::kDown, Flow::kBothWays),
                         [](const auto &test) {
                             return test.param == Flow::kUp     ? "Up"
                                    : test.param == Flow::kDown ? "Down"
                                                                : "BothWays";
                         });

TEST_P(EbpfHandoverOf, LosesNothingWhenSwitchedOffAndOnTenTimes)
{
    LiveStream stream = stream_to_pod(GetParam());
    const EbpfNode node = programs();

    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(carries(stream)) << i << ": " << stream.trouble();
        ASSERT_TRUE(on_node([&] { return switch_off(node); }));
        ASSERT_TRUE(stream.moves()) << i << ": " << stream.trouble();
        const auto before = net().carried();
        ASSERT_TRUE(stream.moves()) << i << ": " << stream.trouble();
        EXPECT_EQ(net().carried(), before);
        switch_on(node);
    }

    EXPECT_TRUE(carries(stream)) << stream.trouble();
}

TEST_P(EbpfHandoverOf, LosesNothingWhenEverythingIsHandedBackAndLoadedAgain)
{
    LiveStream stream = stream_to_pod(GetParam());
    ASSERT_TRUE(carries(stream)) << stream.trouble();

    ASSERT_TRUE(on_node([&] { return remove_ebpf(settings_.places); }));
    ASSERT_TRUE(stream.moves()) << stream.trouble();
    EXPECT_FALSE(PinRoot().folder(kPortmapAbi).exists());
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_TRUE(carries(stream)) << stream.trouble();
}

// As an upgraded plugin does whose programs are of another ABI.
class EbpfUpgrade : public EbpfHandover, public testing::WithParamInterface<AttachWay> {
protected:
    std::uint64_t carried_by(unsigned abi) const
    {
        const auto counts = read_portmap_counts(PinRoot().folder(abi));
        return counts ? (*counts)[TORTIE_PM_FORWARDED] + (*counts)[TORTIE_PM_REPLIED] : 0;
    }

    Result<> load(unsigned abi) const
    {
        EbpfSettings settings;
        settings.attach = GetParam();
        settings.abi = abi;
        return on_node([&] { return ensure_ebpf_loaded(settings); });
    }

    void expect_carried_by(unsigned abi, const LiveStream &stream) const
    {
        const auto before = carried_by(abi);
        const Deadline deadline = Deadline::in(std::chrono::seconds(3));
        while (carried_by(abi) < before + 20 && stream.moves() && !deadline.passed()) {
        }
        EXPECT_GE(carried_by(abi), before + 20) << stream.trouble();
        EXPECT_EQ(PinRoot().abis().value(), std::vector<unsigned>{abi});
    }
};

INSTANTIATE_TEST_SUITE_P(, EbpfUpgrade, testing::Values(AttachWay::kTcx, AttachWay::kClsact),
                         [](const auto &test) {
                             return test.param == AttachWay::kTcx ? "tcx" : "clsact";
                         });

TEST_P(EbpfUpgrade, ReplacesAnotherAbiUnderLiveFlows)
{
    LiveStream stream = stream_to_pod(Flow::kBothWays);
    LiveStream other(net().outside(), "2001:db8::1", 8080, net().netns_of(kPodOne), 80,
                     Flow::kDown);
    ASSERT_TRUE(carries(stream)) << stream.trouble();

    ASSERT_TRUE(load(kPortmapAbi + 1));
    expect_carried_by(kPortmapAbi + 1, stream);
    ASSERT_TRUE(load(kPortmapAbi + 2));
    expect_carried_by(kPortmapAbi + 2, stream);
    ASSERT_TRUE(load(kPortmapAbi));

    EXPECT_TRUE(carries(stream)) << stream.trouble();
    EXPECT_TRUE(other.moves()) << other.trouble();
}

TEST_F(EbpfHandover, TellsTheProgramsAboutPodsThatWereThereBefore)
{
    ASSERT_TRUE(on_node([&] { return remove_ebpf(settings_.places); }));
    LiveStream stream = stream_to_pod(Flow::kBothWays);
    ASSERT_TRUE(stream.moves());

    net().add(kPodTwo, {.mappings = tcp(8081, 80)});

    EXPECT_TRUE(carries(stream)) << stream.trouble();
}

TEST_F(EbpfHandover, WithoutTheMarkAFlowWouldBeCut)
{
    LiveStream stream = stream_to_pod(Flow::kBothWays);
    ASSERT_TRUE(carries(stream)) << stream.trouble();

    programs().maps().state->off = 1;

    EXPECT_FALSE(stream.moves() && stream.moves());
}

TEST_F(EbpfHandover, SurvivesProgramsThatSomebodyDetachedOnceAPluginWasCalled)
{
    LiveStream stream = stream_to_pod(Flow::kBothWays, "2001:db8::1");
    ASSERT_TRUE(carries(stream)) << stream.trouble();
    ASSERT_EQ(net().check(kPodOne, {.mappings = tcp(8080, 80)}).status, 0);

    const PinFolder folder = PinRoot().folder(kPortmapAbi);
    const auto links = folder.link_names().value();
    for (const std::string &link : links)
        ASSERT_EQ(::unlink(folder.link(link).c_str()), 0);
    ASSERT_TRUE(stream.moves()) << stream.trouble();
    EXPECT_NE(net().check(kPodOne, {.mappings = tcp(8080, 80)}).status, 0);
    net().add(kPodTwo, {.mappings = tcp(8081, 80)});
    net().add(kPodOne, {.mappings = tcp(8080, 80)});

    EXPECT_TRUE(carries(stream)) << stream.trouble();
    EXPECT_EQ(net().check(kPodOne, {.mappings = tcp(8080, 80)}).status, 0);
}

TEST_F(EbpfHandover, KeepsUdpClientsWithTheirPod)
{
    const AddressEcho server(net().netns_of(kPodOne), Transport::kUdp, 53, "dns");
    Client client(net().outside(), Transport::kUdp, "192.0.2.1", 5353, 40000);
    const EbpfNode node = programs();

    for (int i = 0; i < 3; ++i) {
        const auto before = net().carried();
        for (int j = 0; j < 3; ++j)
            ASSERT_EQ(client.ask(), "dns 192.0.2.2");
        EXPECT_GT(net().carried(), before);
        ASSERT_TRUE(on_node([&] { return switch_off(node); }));
        ASSERT_EQ(client.ask(), "dns 192.0.2.2");
        switch_on(node);
    }
}

TEST_F(EbpfHandover, LeavesLiveFlowsOfOtherPodsAloneOnAddAndDel)
{
    LiveStream stream = stream_to_pod(Flow::kBothWays);
    ASSERT_TRUE(carries(stream)) << stream.trouble();

    net().add(kPodTwo, {.mappings = tcp(8081, 80)});
    ASSERT_TRUE(carries(stream)) << stream.trouble();
    net().del(kPodTwo, {.mappings = tcp(8081, 80)});

    EXPECT_TRUE(carries(stream)) << stream.trouble();
}

TEST_F(EbpfHandover, CountsProgramsFlowsAndPackets)
{
    LiveStream stream = stream_to_pod(Flow::kBothWays);
    ASSERT_TRUE(carries(stream)) << stream.trouble();
    const auto numbers = [&] {
        EbpfNode node = programs();
        return on_node([&] { return read_ebpf_numbers(node); }).value();
    };

    const EbpfNumbers before = numbers();
    const PinFolder folder = PinRoot().folder(kPortmapAbi);
    const auto links = folder.link_names().value();
    for (const std::string &link : links)
        ASSERT_EQ(::unlink(folder.link(link).c_str()), 0);
    const EbpfNumbers after = numbers();

    EXPECT_EQ(before.uplinks.all, 1U);
    EXPECT_EQ(before.pods.all, 1U);
    EXPECT_THAT(before.uplinks.bare, testing::IsEmpty());
    EXPECT_THAT(before.pods.bare, testing::IsEmpty());
    EXPECT_EQ(before.ipv4.now, 1U);
    EXPECT_EQ(before.ipv6.now, 0U);
    EXPECT_EQ(before.ipv4.limit, TORTIE_PM_MAX_FLOWS4 / 2);
    EXPECT_GT(before.counts[TORTIE_PM_FORWARDED], 0U);
    EXPECT_EQ(after.uplinks.bare.size(), after.uplinks.all);
    EXPECT_EQ(after.pods.bare.size(), after.pods.all);
}

}  // namespace
}  // namespace tortie::test
