// SPDX-License-Identifier: Apache-2.0
//
// What stands at a device and must see packets: put there before a flow, and under it. The flow
// goes on through it; BPF carries nothing past it.
#include <algorithm>
#include <functional>
#include <sstream>

#include <gtest/gtest.h>

#include "base/pause.h"
#include "prog/portmap_node.h"

namespace tortie::test {
namespace {

struct Obstacle {
    const char *name;
    std::function<bool(const PortmapNode &)> put;  // false: this kernel or its tools cannot
};

bool run_in(const Netns &where, const std::vector<std::vector<std::string>> &commands)
{
    return std::all_of(commands.begin(), commands.end(),
                       [&](const auto &command) { return where.try_run(command).has_value(); });
}

// Somebody else's program, which lets everything pass.
bool put_program(const PortmapNode &node, const std::string &device, Way way, Side side)
{
    if (way == Way::kTcx && !has_tcx())
        return false;
    attach(node.node, node.object.skeleton().progs.tt_pm_clock, device, way, side);
    return true;
}

bool put_nft_chain(const PortmapNode &node, const std::string &device, const std::string &hook)
{
    return run_in(node.node,
                  {{"nft", "add table netdev t; add chain netdev t c { type filter hook " + hook +
                               " device " + device + " priority 0; }"}});
}

const std::vector<Obstacle> &obstacles()
{
    using Node = PortmapNode;
    static const std::vector<Obstacle> all = {
        {"ShaperAtThePod",
         [](const Node &node) {
             return run_in(node.node, {{"tc", "qdisc", "add", "dev", "pod0", "root", "tbf", "rate",
                                        "100mbit", "burst", "100kb", "latency", "50ms"}});
         }},
        {"FilterToThePod",
         [](const Node &node) { return put_program(node, "pod0", Way::kClsact, Side::kEgress); }},
        {"FilterFromThePod",
         [](const Node &node) { return put_program(node, "pod0", Way::kClsact, Side::kIngress); }},
        {"FilterFromTheUplink",
         [](const Node &node) { return put_program(node, "up0", Way::kClsact, Side::kIngress); }},
        {"ProgramToThePod",
         [](const Node &node) { return put_program(node, "pod0", Way::kTcx, Side::kEgress); }},
        {"ProgramFromThePod",
         [](const Node &node) { return put_program(node, "pod0", Way::kTcx, Side::kIngress); }},
        {"ProgramFromTheUplink",
         [](const Node &node) { return put_program(node, "up0", Way::kTcx, Side::kIngress); }},
        {"NetdevIngressAtTheUplink",
         [](const Node &node) { return put_nft_chain(node, "up0", "ingress"); }},
        {"NetdevIngressAtThePod",
         [](const Node &node) { return put_nft_chain(node, "pod0", "ingress"); }},
        {"NetdevEgressAtThePod",
         [](const Node &node) { return put_nft_chain(node, "pod0", "egress"); }},
    };
    return all;
}

struct Case {
    std::size_t obstacle;
    Way way;
};

class PortmapObstacle : public ::testing::TestWithParam<Case> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        if (GetParam().way == Way::kTcx && !has_tcx())
            GTEST_SKIP() << "this kernel has no tcx";
        node_.emplace(false);
        ASSERT_TRUE(node_->object.loaded());
        if (!node_->object.can_adopt())
            GTEST_SKIP() << "this kernel's conntrack cannot be asked";
        node_->publish();
        node_->object.state().interval /= 50;  // looks come every 20 ms
        node_->attach(GetParam().way);
    }

    bool put() const { return obstacles()[GetParam().obstacle].put(*node_); }

    std::uint64_t carried() const
    {
        return node_->object.counted(TORTIE_PM_FORWARDED) +
               node_->object.counted(TORTIE_PM_REPLIED);
    }

    // Bytes that went out by the veth, and not past it.
    std::uint64_t sent_by_the_veth() const
    {
        const std::string text = node_->node.run({"cat", "/proc/net/dev"});
        std::istringstream line(text.substr(text.find("pod0:") + 5));
        std::uint64_t value = 0;
        for (int column = 0; column < 9; ++column)
            line >> value;
        return value;
    }

    std::optional<PortmapNode> node_;
};

TEST_P(PortmapObstacle, ThatIsThereFirstIsNeverPassedBy)
{
    if (!put())
        GTEST_SKIP() << "this kernel cannot";
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");
    Client client(node_->client, Transport::kUdp, node_->node_address(), kHostPort);

    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(client.ask());

    EXPECT_EQ(carried(), 0u);
    EXPECT_GE(node_->object.counted(TORTIE_PM_OBSTACLE), 1u);
}

TEST_P(PortmapObstacle, ThatComesLaterIsSeenByTheNextLook)
{
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");
    Client client(node_->client, Transport::kUdp, node_->node_address(), kHostPort);
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(client.ask());
    ASSERT_GE(carried(), 10u);

    if (!put())
        GTEST_SKIP() << "this kernel cannot";
    pause_for(std::chrono::milliseconds(50));  // longer than the interval
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(client.ask());
    const std::uint64_t before = carried();
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(client.ask());

    EXPECT_EQ(carried(), before);
    EXPECT_GE(node_->object.counted(TORTIE_PM_FORGOTTEN), 1u);
}

// What a packet meets when it goes out by the veth.
class PortmapObstacleOnTheWay : public PortmapObstacle {};

TEST_P(PortmapObstacleOnTheWay, ThatComesLaterIsGoneThroughByAConnection)
{
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());
    EXPECT_TRUE(talk.exchange(10, 5000));

    if (!put())
        GTEST_SKIP() << "this kernel cannot";
    EXPECT_TRUE(talk.exchange(5));
    pause_for(std::chrono::milliseconds(50));  // longer than the interval
    EXPECT_TRUE(talk.exchange(5));             // looks on both sides
    const std::uint64_t sent_before = sent_by_the_veth();
    EXPECT_TRUE(talk.exchange(5, 5000));

    EXPECT_GE(sent_by_the_veth(), sent_before + std::uint64_t{5} * 5000);
    EXPECT_EQ(node_->object.counted(TORTIE_PM_FORGOTTEN), 0u);
}

bool is_on_the_way(std::string_view name)
{
    return name.ends_with("ToThePod") || name == "ShaperAtThePod" || name == "NetdevEgressAtThePod";
}

std::vector<Case> cases(bool on_the_way_only)
{
    std::vector<Case> cases;
    for (std::size_t i = 0; i < obstacles().size(); ++i) {
        // How ours is attached makes a difference for what else is attached only.
        const std::string_view name = obstacles()[i].name;
        const bool attached = name.starts_with("Filter") || name.starts_with("Program");
        if (on_the_way_only && !is_on_the_way(name))
            continue;
        cases.push_back({i, attached ? Way::kTcx : Way::kBest});
        if (attached)
            cases.push_back({i, Way::kClsact});
    }
    return cases;
}

std::string name_of(const ::testing::TestParamInfo<Case> &of)
{
    const Way way = of.param.way;
    return std::string(obstacles()[of.param.obstacle].name) + (way == Way::kTcx      ? "Tcx"
                                                               : way == Way::kClsact ? "Clsact"
                                                                                     : "");
}

INSTANTIATE_TEST_SUITE_P(All, PortmapObstacle, ::testing::ValuesIn(cases(false)), name_of);
INSTANTIATE_TEST_SUITE_P(All, PortmapObstacleOnTheWay, ::testing::ValuesIn(cases(true)), name_of);

}  // namespace
}  // namespace tortie::test
