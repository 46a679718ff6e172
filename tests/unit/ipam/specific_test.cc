// SPDX-License-Identifier: Apache-2.0
#include "ipam/block.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

class SpecificAddress : public ::testing::TestWithParam<Cluster::Like> {
protected:
    SpecificAddress() : cluster(GetParam()) { cluster.add_pool("p", "10.0.0.0/24"); }

    Result<Answer> assign(const std::string &host, const std::string &handle,
                          const std::string &address, unsigned max = 0)
    {
        Request request = cluster.request(handle);
        request.specific = ip(address);
        request.max_per_handle = max;
        return cluster.add(host, request);
    }

    Cluster cluster;
};

INSTANTIATE_TEST_SUITE_P(Stores, SpecificAddress,
                         ::testing::Values(Cluster::Like::kKubernetes, Cluster::Like::kEtcd),
                         like_name);

TEST_P(SpecificAddress, IsAssignedWithAPrefixOfItsOwn)
{
    cluster.add_pool("six", "fd00::/64");

    EXPECT_EQ(only4(assign("node-a", "h", "10.0.0.77")), "10.0.0.77/32");
    EXPECT_EQ(cluster.affinity("node-a", "10.0.0.64/26")->state, store::AffinityState::kConfirmed);
    const auto six = assign("node-a", "h", "fd00::77");
    ASSERT_TRUE(six);
    EXPECT_EQ(addresses(six->v6).front(), "fd00::77/128");
    EXPECT_SOUND(cluster);
}

TEST_P(SpecificAddress, IsRefusedTheSecondTimeAndWorksAfterRelease)
{
    ASSERT_TRUE(assign("node-a", "h", "10.0.0.7"));
    const auto second = assign("node-a", "h2", "10.0.0.7");
    EXPECT_EQ(only4(second),
              "resource already exists: 10.0.0.7 with error: Address already "
              "assigned in block");
    EXPECT_EQ(second.error().kind(), ErrorKind::kExists);
    EXPECT_SOUND(cluster);
    ASSERT_TRUE(cluster.del("node-a", "h"));
    EXPECT_EQ(only4(assign("node-a", "h2", "10.0.0.7")), "10.0.0.7/32");
    EXPECT_SOUND(cluster);
}

TEST_P(SpecificAddress, MustLieInAnEnabledPool)
{
    cluster.add_pool("off", "10.1.0.0/24", {.disabled = true});

    EXPECT_EQ(only4(assign("node-a", "h", "192.0.2.1")),
              "The provided IP address is not in a configured pool\n");
    EXPECT_EQ(only4(assign("node-a", "h", "10.1.0.1")),
              "The provided IP address is not in a configured pool\n");
}

TEST_P(SpecificAddress, IgnoresSelectorsUsesLimitsAndAssignmentMode)
{
    cluster.configure({false, false, 1, true, 0, {}});
    cluster.add_pool("picky", "10.2.0.0/24",
                     {0, "has(rack)", "has(team)", false, {"Tunnel"}, true});
    cluster.add_block("node-a", "10.0.0.0/26");

    EXPECT_EQ(only4(assign("node-a", "h", "10.2.0.9")), "10.2.0.9/32");
}

TEST_P(SpecificAddress, ComesFromAnotherHostsBlockUnlessAffinityIsStrict)
{
    cluster.add_block("node-b", "10.0.0.0/26");

    EXPECT_EQ(only4(assign("node-a", "h", "10.0.0.5")), "10.0.0.5/32");
    cluster.configure({true, true, 0, true, 0, {}});
    EXPECT_EQ(only4(assign("node-a", "h2", "10.0.0.6")), "Block host affinity does not match");
    store::Block block = *cluster.block("10.0.0.0/26");
    block.affinity.clear();
    cluster.store.put(store::BlockKey{block.cidr}, block);
    EXPECT_EQ(only4(assign("node-a", "h2", "10.0.0.6")),
              "Attempt to assign from block 10.0.0.0/26 with no affinity");
    EXPECT_FALSE(cluster.handle("h2"));
}

TEST_P(SpecificAddress, IsTheSameAnswerAgainForAHandleThatMayHaveOne)
{
    ASSERT_TRUE(assign("node-a", "vm", "10.0.0.7", 1));

    EXPECT_EQ(only4(assign("node-a", "vm", "10.0.0.7", 1)), "10.0.0.7/32");
    EXPECT_EQ(only4(assign("node-a", "vm", "10.0.0.8", 1)),
              "handle vm already has IP(s) allocated, cannot assign additional IP 10.0.0.8 "
              "(maxAllocPerIPVersion=1)");
    EXPECT_SOUND(cluster);
}

TEST_P(SpecificAddress, IsNotAssignedWhileItCoolsDown)
{
    cluster.configure({false, true, 0, true, 300, {}});
    ASSERT_TRUE(assign("node-a", "h", "10.0.0.7"));
    ASSERT_TRUE(cluster.del("node-a", "h"));

    EXPECT_FALSE(assign("node-a", "h2", "10.0.0.7"));
    EXPECT_EQ(only4(cluster.add4("node-a", "h3")), "10.0.0.0/26");
}

TEST_P(SpecificAddress, SurvivesAnotherHostClaimingTheBlockMeanwhile)
{
    cluster.store.before_request = [&](std::size_t, const std::string &what) {
        if (what.find("create block/") != std::string::npos && !cluster.block("10.0.0.0/26"))
            cluster.add_block("node-b", "10.0.0.0/26");
    };

    EXPECT_EQ(only4(assign("node-a", "h", "10.0.0.7")), "10.0.0.7/32");
    EXPECT_EQ(cluster.block("10.0.0.0/26")->affinity, "host:node-b");
    EXPECT_SOUND(cluster);
}

class HandleWithALimit : public SpecificAddress {
protected:
    Result<Answer> add(unsigned num4, unsigned num6, unsigned max)
    {
        Request request = cluster.request("vm", num4, num6);
        request.max_per_handle = max;
        return cluster.add("node-a", request);
    }
};

INSTANTIATE_TEST_SUITE_P(Stores, HandleWithALimit,
                         ::testing::Values(Cluster::Like::kKubernetes, Cluster::Like::kEtcd),
                         like_name);

TEST_P(HandleWithALimit, GetsTheSameAddressAgainInEachFamily)
{
    cluster.add_pool("six", "fd00::/64");
    ASSERT_TRUE(add(1, 0, 1));

    const auto again = add(1, 1, 1);

    ASSERT_TRUE(again && again->complete());
    EXPECT_EQ(addresses(again->v4).front(), only4(add(1, 0, 1)));
    EXPECT_EQ(again->v6.addresses.front().prefix, 122U);
    EXPECT_EQ(add(0, 1, 1)->v6.addresses.front().ip, again->v6.addresses.front().ip);
    EXPECT_SOUND(cluster);
}

TEST_P(HandleWithALimit, MayHaveTwoAndThenReusesThem)
{
    const auto first = only4(add(1, 0, 2));
    const auto second = only4(add(1, 0, 2));

    EXPECT_NE(first.substr(0, first.find('/')), second.substr(0, second.find('/')));
    EXPECT_TRUE(add(1, 0, 2)->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(HandleWithALimit, IsNotHeldUpByACountWithoutAddresses)
{
    cluster.store.put(store::HandleKey{"vm"}, store::Handle{"vm", {{"10.0.0.0/26", 1}}, false, {}});

    EXPECT_TRUE(add(1, 0, 1)->complete());
}

}  // namespace
}  // namespace tortie::ipam
