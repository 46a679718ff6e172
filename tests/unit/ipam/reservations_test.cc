// SPDX-License-Identifier: Apache-2.0
#include "ipam/reservations.h"

#include "ipam/block.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

Reservations reserved(const std::vector<std::string> &cidrs)
{
    const store::Reservation reservation{"r", cidrs, {}};
    return Reservations({&reservation, 1});
}

TEST(Reservations, ReadAddressesCidrsAndBlanksAndSkipTheRest)
{
    const Reservations r =
        reserved({" 10.0.0.1 ", "10.0.0.5/31", "", "nonsense", "10.0.0.300", "fd00::1"});

    EXPECT_TRUE(r.contains(ip("10.0.0.1")));
    EXPECT_TRUE(r.contains(ip("10.0.0.4")));
    EXPECT_TRUE(r.contains(ip("fd00::1")));
    EXPECT_FALSE(r.contains(ip("10.0.0.2")));
    EXPECT_EQ(r.reserved_in(cidr("10.0.0.0/29")), 3U);
}

TEST(Reservations, CountOverlappingOnesOnce)
{
    const Reservations r = reserved({"10.0.0.0/29", "10.0.0.0/30", "10.0.0.1", "10.0.0.1/32"});

    EXPECT_EQ(r.reserved_in(cidr("10.0.0.0/26")), 8U);
}

TEST(Reservations, CoverABlockAloneOrTogether)
{
    EXPECT_TRUE(reserved({"10.0.0.0/8"}).covers_whole(cidr("10.0.0.0/26")));
    EXPECT_TRUE(reserved({"10.0.0.0/27", "10.0.0.32/27"}).covers_whole(cidr("10.0.0.0/26")));
    EXPECT_FALSE(reserved({"10.0.0.0/27", "10.0.0.32/28"}).covers_whole(cidr("10.0.0.0/26")));
    EXPECT_FALSE(reserved({"10.0.0.64/26"}).covers_whole(cidr("10.0.0.0/26")));
}

TEST(Reservations, LeaveTheRestOfASmallBlockToOthers)
{
    store::Block block = fresh_block(cidr("10.0.0.0/30"), "node-a");
    const Reservations r = reserved({"10.0.0.0/31", "10.0.0.3"});

    EXPECT_EQ(free_count(block, r), 1U);
    EXPECT_EQ(take(block, 4, {"h", {}}, r), Ordinals{2});
    EXPECT_EQ(block.unallocated, (Ordinals{0, 1, 3}));
}

TEST(Allocator, HandsOutNoReservedAddress)
{
    Cluster cluster;
    cluster.add_pool("p", "10.0.0.0/26");
    cluster.add_reservation("r", {"10.0.0.0/30", "10.0.0.10", "10.0.0.63/32", "bad"});

    const auto all = cluster.add("node-a", cluster.request("h", 58));
    const auto more = cluster.add("node-a", cluster.request("h2", 1));

    ASSERT_TRUE(all && all->complete());
    for (const Address &address : all->v4.addresses) {
        EXPECT_FALSE(cidr("10.0.0.0/30").contains(address.ip));
        EXPECT_NE(address.ip, ip("10.0.0.10"));
        EXPECT_NE(address.ip, ip("10.0.0.63"));
    }
    ASSERT_TRUE(more);
    EXPECT_FALSE(more->complete());
    EXPECT_SOUND(cluster);
}

TEST(Allocator, SkipsABlockThatIsWhollyReserved)
{
    Cluster cluster;
    cluster.add_pool("p", "10.0.0.0/25");
    cluster.add_block("node-a", "10.0.0.0/26");
    cluster.add_reservation("r", {"10.0.0.0/26"});

    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "10.0.0.64/26");
}

TEST(Allocator, FailsAtOnceWhenAHugePoolIsWhollyReserved)
{
    Cluster cluster;
    cluster.add_pool("p", "fd00::/48");
    cluster.add_reservation("r", {"fd00::/32"});

    const auto answer = cluster.add("node-a", cluster.request("h", 0, 1));

    ASSERT_TRUE(answer);
    EXPECT_EQ(shortage(answer->v6, Family::kIpv6),
              "Assigned 0 out of 1 requested IPv6 addresses; No IPs available in pools: "
              "[fd00::/48]");
}

TEST(Allocator, AssignsAReservedAddressThatIsAskedForByName)
{
    Cluster cluster;
    cluster.add_pool("p", "10.0.0.0/26");
    cluster.add_reservation("r", {"10.0.0.7"});
    Request request = cluster.request("h");
    request.specific = ip("10.0.0.7");

    EXPECT_EQ(only4(cluster.add("node-a", request)), "10.0.0.7/32");
    EXPECT_SOUND(cluster);
}

}  // namespace
}  // namespace tortie::ipam
