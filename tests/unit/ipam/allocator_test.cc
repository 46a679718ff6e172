// SPDX-License-Identifier: Apache-2.0
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using ::testing::ElementsAre;

TEST(Allocator, TakesAnAddressOfANewBlockAndKeepsBooks)
{
    Cluster cluster;
    cluster.add_pool("p", "10.0.0.0/16");

    const auto answer = cluster.add4("node-a", "net.c1");

    ASSERT_TRUE(answer) << answer.error().what();
    ASSERT_EQ(answer->v4.addresses.size(), 1U);
    EXPECT_EQ(answer->v4.addresses.front().prefix, 26U);
    EXPECT_TRUE(cluster.handle("net.c1"));
    EXPECT_SOUND(cluster);
}

TEST(Allocator, AnswersBothFamilies)
{
    Cluster cluster;
    cluster.add_pool("four", "10.0.0.0/26");
    cluster.add_pool("six", "fd00:80::/122");

    const auto answer = cluster.add("node-a", cluster.request("net.c1", 1, 1));

    ASSERT_TRUE(answer);
    EXPECT_THAT(addresses(answer->v4), ElementsAre("10.0.0.0/26"));
    EXPECT_THAT(addresses(answer->v6), ElementsAre("fd00:80::/122"));
    EXPECT_SOUND(cluster);
}

TEST(Allocator, LeavesNothingWhenOneFamilyHasNoPool)
{
    Cluster cluster;
    cluster.add_pool("four", "10.0.0.0/26");

    const auto answer = cluster.add("node-a", cluster.request("net.c1", 1, 1));

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what(), "cannot find a qualified ippool");
    EXPECT_FALSE(cluster.handle("net.c1"));
    EXPECT_SOUND(cluster);
}

}  // namespace
}  // namespace tortie::ipam
