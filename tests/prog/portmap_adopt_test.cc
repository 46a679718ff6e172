// SPDX-License-Identifier: Apache-2.0
//
// Flows of real sockets through real netfilter, and what the programs take over of them.
#include <gtest/gtest.h>

#include "prog/portmap_node.h"

namespace tortie::test {
namespace {

class PortmapAdopted : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.emplace(GetParam());
        ASSERT_TRUE(node_->object.loaded());
        if (!node_->object.can_adopt())
            GTEST_SKIP() << "this kernel's conntrack cannot be asked";
        node_->publish();
    }

    std::uint64_t counted(pm_count what) const { return node_->object.counted(what); }

    std::optional<PortmapNode> node_;
};

TEST_P(PortmapAdopted, CarriesATcpFlowInBothDirections)
{
    node_->attach(Way::kBest);
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());

    EXPECT_TRUE(talk.exchange(50));

    EXPECT_GE(counted(TORTIE_PM_FORWARDED), 49u);
    EXPECT_GE(counted(TORTIE_PM_REPLIED), 49u);
    EXPECT_EQ(counted(TORTIE_PM_REWRITE), 0u);
    EXPECT_EQ(node_->object.flows(), 2u);
}

TEST_P(PortmapAdopted, CarriesAUdpFlowOnceItWasAnswered)
{
    node_->attach(Way::kClsact);
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");
    Client client(node_->client, Transport::kUdp, node_->node_address(), kHostPort);

    for (int i = 0; i < 20; ++i)
        EXPECT_TRUE(client.ask());

    EXPECT_GE(counted(TORTIE_PM_FORWARDED), 18u);
    EXPECT_GE(counted(TORTIE_PM_REPLIED), 18u);
}

TEST_P(PortmapAdopted, CarriesBulkData)
{
    node_->attach(Way::kBest);
    const Conversation talk(*node_);
    ASSERT_TRUE(talk.connected());

    EXPECT_TRUE(talk.exchange(4, 100'000));

    EXPECT_EQ(counted(TORTIE_PM_TOO_BIG), 0u);
    EXPECT_GE(counted(TORTIE_PM_FORWARDED), 8u);
}

INSTANTIATE_TEST_SUITE_P(Families, PortmapAdopted, ::testing::Bool(),
                         [](const auto &of) { return of.param ? "IPv6" : "IPv4"; });

}  // namespace
}  // namespace tortie::test
