// SPDX-License-Identifier: Apache-2.0
#include "ipam/block_space.h"

#include <algorithm>
#include <set>
#include <string>

#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

std::vector<std::string> walk(BlockWalk walk)
{
    std::vector<std::string> blocks;
    while (const auto block = walk.next())
        blocks.push_back(block->to_string());
    return blocks;
}

TEST(BlockSpace, PlacesOrdinalsInIpv4AndIpv6)
{
    EXPECT_EQ(ordinal_of(cidr("10.0.0.0/26"), ip("10.0.0.63")), 63U);
    EXPECT_EQ(ordinal_of(cidr("10.0.0.0/26"), ip("10.0.0.64")), std::nullopt);
    EXPECT_EQ(ordinal_of(cidr("10.0.16.0/20"), ip("10.0.31.255")), 4095U);
    EXPECT_EQ(ordinal_of(cidr("fd00::1000/116"), ip("fd00::1fff")), 4095U);
    EXPECT_EQ(ordinal_of(cidr("10.0.0.7/32"), ip("10.0.0.7")), 0U);
    EXPECT_EQ(address_at(cidr("10.0.16.0/20"), 4095), ip("10.0.31.255"));
    EXPECT_EQ(address_at(cidr("fd00::1000/116"), 256), ip("fd00::1100"));
}

TEST(BlockSpace, KnowsPossibleBlockSizes)
{
    EXPECT_TRUE(is_block_prefix(Family::kIpv4, 20));
    EXPECT_FALSE(is_block_prefix(Family::kIpv4, 19));
    EXPECT_TRUE(is_block_prefix(Family::kIpv6, 116));
    EXPECT_FALSE(is_block_prefix(Family::kIpv6, 115));
    EXPECT_FALSE(is_block(cidr("10.0.0.1/26")));
}

TEST(BlockWalk, GivesEveryBlockOnceWhereverItStarts)
{
    for (const char *start : {"10.0.0.0/28", "10.0.0.16/28", "10.0.0.48/28"}) {
        const auto blocks = walk(BlockWalk(cidr("10.0.0.0/26"), 28, cidr(start)));

        EXPECT_EQ(blocks.front(), start);
        EXPECT_EQ(
            std::set<std::string>(blocks.begin(), blocks.end()),
            (std::set<std::string>{"10.0.0.0/28", "10.0.0.16/28", "10.0.0.32/28", "10.0.0.48/28"}));
        EXPECT_EQ(blocks.size(), 4U);
    }
}

TEST(BlockWalk, CountsLargePoolsOfBothFamilies)
{
    EXPECT_EQ(walk(BlockWalk(cidr("10.0.0.0/16"), 26, cidr("10.0.77.64/26"))).size(), 1024U);
    EXPECT_EQ(walk(BlockWalk(cidr("10.0.0.0/24"), 32, cidr("10.0.0.200/32"))).size(), 256U);
    EXPECT_EQ(walk(BlockWalk(cidr("fd00::/112"), 122, cidr("fd00::40/122"))).size(), 1024U);
    EXPECT_EQ(walk(BlockWalk(cidr("10.0.0.0/26"), 26, cidr("10.0.0.0/26"))).size(), 1U);
    EXPECT_EQ(walk(BlockWalk(cidr("255.255.255.0/24"), 26, cidr("255.255.255.192/26"))).size(), 4U);
}

TEST(BlockWalk, HasNoBlockInAPoolThatIsSmallerThanOne)
{
    EXPECT_TRUE(walk(BlockWalk(cidr("10.0.0.0/28"), 26, cidr("10.0.0.0/26"))).empty());
}

TEST(BlockWalk, SkipsARangeWhereverItLies)
{
    for (const char *start : {"10.0.0.0/28", "10.0.0.16/28", "10.0.0.32/28", "10.0.0.48/28"}) {
        BlockWalk walk(cidr("10.0.0.0/26"), 28, cidr(start));
        std::set<std::string> left;
        while (const auto block = walk.next()) {
            if (covers(cidr("10.0.0.0/27"), *block))
                walk.skip(cidr("10.0.0.0/27"));
            else
                EXPECT_TRUE(left.insert(block->to_string()).second);
        }
        EXPECT_EQ(left, (std::set<std::string>{"10.0.0.32/28", "10.0.0.48/28"})) << start;
    }
}

TEST(BlockWalk, EndsAtOnceWhenAllOfAHugePoolIsSkipped)
{
    BlockWalk walk(cidr("fd00::/48"), 122, cidr("fd00::40/122"));

    walk.next();
    walk.skip(cidr("fd00::/40"));

    EXPECT_EQ(walk.next(), std::nullopt);
}

TEST(StartBlock, SeedsByTheHashOfTheHost)
{
    EXPECT_EQ(fnv1_32("node1"), 3957252814U);
    EXPECT_EQ(fnv1_32("host-a"), 1258779341U);
    EXPECT_EQ(fnv1_32("node-a"), 568266999U);
    EXPECT_EQ(fnv1_32("worker-7.example.com"), 1570220854U);
    EXPECT_EQ(fnv1_32("ip-10-0-1-23.eu-west-1.compute.internal"), 1379735541U);
}

TEST(StartBlock, IsTheSameForAHostAndSpreadOverHosts)
{
    std::set<std::string> starts;
    for (int i = 0; i < 200; ++i) {
        const std::string host = "node-" + std::to_string(i);
        const Cidr start = start_block(cidr("10.0.0.0/16"), 26, host);
        EXPECT_EQ(start, start_block(cidr("10.0.0.0/16"), 26, host));
        EXPECT_TRUE(covers(cidr("10.0.0.0/16"), start) && is_block(start));
        starts.insert(start.to_string());
    }
    EXPECT_GT(starts.size(), 150U);
}

TEST(StartBlock, DiffersEachTimeWhereBlocksAreSingleAddresses)
{
    std::set<std::string> starts;
    for (int i = 0; i < 20; ++i)
        starts.insert(start_block(cidr("fd00::/64"), 128, "node-a").to_string());
    EXPECT_GT(starts.size(), 10U);
}

}  // namespace
}  // namespace tortie::ipam
