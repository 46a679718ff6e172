// SPDX-License-Identifier: Apache-2.0
#include "host-local/range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::host_local {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

IpAddr ip(std::string_view text)
{
    return IpAddr::parse(text).value();
}

RangeConfig subnet(std::string_view cidr)
{
    return {.subnet = Cidr::parse(cidr).value(), .start = {}, .end = {}, .gateway = {}};
}

RangeConfig part(std::string_view cidr, std::string_view start, std::string_view end)
{
    return {.subnet = Cidr::parse(cidr).value(),
            .start = start.empty() ? std::nullopt : IpAddr::parse(start),
            .end = end.empty() ? std::nullopt : IpAddr::parse(end),
            .gateway = {}};
}

RangeSet set_of(const std::vector<RangeConfig> &configs)
{
    return RangeSet::from(configs).value();
}

std::string refusal(const std::vector<RangeConfig> &configs)
{
    const auto set = RangeSet::from(configs);
    return set ? "accepted" : set.error().what();
}

// The addresses that a search would try, in order, without the gateways.
std::vector<std::string> candidates(const RangeSet &set, std::string_view last_reserved)
{
    std::vector<std::string> tried;
    for (const Span &span : search_order(set, IpAddr::parse(last_reserved))) {
        for (IpAddr at = span.first;; at = at.next()) {
            if (at != span.gateway)
                tried.push_back(at.to_string());
            if (at == span.last)
                break;
        }
    }
    return tried;
}

TEST(Range, TakesDefaultsFromAnIpv4Subnet)
{
    const Range range = set_of({subnet("192.0.2.0/24")}).ranges()[0];

    EXPECT_EQ(range.start, ip("192.0.2.1"));
    EXPECT_EQ(range.end, ip("192.0.2.254"));
    EXPECT_EQ(range.gateway, ip("192.0.2.1"));
}

TEST(Range, TakesDefaultsFromASubnetThatIsNoWholeByte)
{
    const Range range = set_of({subnet("192.0.2.128/25")}).ranges()[0];

    EXPECT_EQ(range.to_string(), "192.0.2.129-192.0.2.254");
    EXPECT_EQ(range.gateway, ip("192.0.2.129"));
}

TEST(Range, EndsAnIpv6SubnetAtItsAllOnesAddress)
{
    const Range range = set_of({subnet("2001:db8:1::/64")}).ranges()[0];

    EXPECT_EQ(range.to_string(), "2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff");
    EXPECT_EQ(range.gateway, ip("2001:db8:1::1"));
}

TEST(Range, KeepsAllConfiguredFields)
{
    const RangeConfig config{.subnet = Cidr::parse("192.0.2.0/24"),
                             .start = ip("192.0.2.40"),
                             .end = ip("192.0.2.50"),
                             .gateway = ip("192.0.2.254")};

    const Range range = set_of({config}).ranges()[0];

    EXPECT_EQ(range.to_string(), "192.0.2.40-192.0.2.50");
    EXPECT_EQ(range.gateway, ip("192.0.2.254"));
}

TEST(Range, MayBeginAtTheNetworkAndEndAtTheBroadcastAddressWhenToldSo)
{
    const RangeSet set = set_of({part("10.1.0.0/29", "10.1.0.0", "10.1.0.7")});

    EXPECT_EQ(candidates(set, "10.1.0.6").front(), "10.1.0.7");
    EXPECT_EQ(candidates(set, "").front(), "10.1.0.0");
}

TEST(Range, LetsTheGatewayLieOutsideTheSubnet)
{
    RangeConfig config = subnet("10.1.0.0/30");
    config.gateway = ip("10.9.9.9");

    EXPECT_THAT(candidates(set_of({config}), ""), ElementsAre("10.1.0.1", "10.1.0.2"));
}

TEST(Range, RefusesHostBits)
{
    EXPECT_EQ(refusal({subnet("192.0.2.12/24")}),
              "Network has host bits set. For a subnet mask of length 24 the network address is "
              "192.0.2.0");
    EXPECT_EQ(refusal({subnet("2001:db8:1::24:19ff:fee1:c44a/64")}),
              "Network has host bits set. For a subnet mask of length 64 the network address is "
              "2001:db8:1::");
}

TEST(Range, RefusesASubnetTooSmallToAllocateFrom)
{
    for (const char *cidr : {"192.0.2.0/31", "192.0.2.0/32", "2001:db8::/127", "2001:db8::/128"})
        EXPECT_EQ(refusal({subnet(cidr)}),
                  "Network " + std::string(cidr) + " too small to allocate from");
    EXPECT_EQ(refusal({subnet("192.0.2.0/30")}), "accepted");
}

TEST(Range, RefusesEndsOutsideTheSubnetAndEndsInTheWrongOrder)
{
    EXPECT_EQ(refusal({part("192.0.2.0/24", "192.0.3.0", "")}),
              "RangeStart 192.0.3.0 not in network 192.0.2.0/24");
    EXPECT_EQ(refusal({part("192.0.2.0/24", "", "192.0.4.0")}),
              "RangeEnd 192.0.4.0 not in network 192.0.2.0/24");
    EXPECT_EQ(refusal({part("192.0.2.0/24", "192.0.2.50", "192.0.2.40")}),
              "RangeStart 192.0.2.50 not in network 192.0.2.0/24");
    EXPECT_EQ(refusal({part("192.0.2.0/24", "192.0.2.50", "192.0.1.40")}),
              "RangeStart 192.0.2.50 not in network 192.0.2.0/24");
    EXPECT_EQ(refusal({part("192.0.2.0/24", "2001:db8::1", "")}),
              "RangeStart 2001:db8::1 not in network 192.0.2.0/24");
    EXPECT_EQ(refusal({part("192.0.2.0/24", "192.0.2.50", "2001:db8::1")}),
              "RangeEnd 2001:db8::1 not in network 192.0.2.0/24");
}

TEST(Range, RefusesAMissingSubnet)
{
    EXPECT_EQ(refusal({RangeConfig{}}), "IP <nil> not v4 nor v6");
}

// Upstream hands out 10.1.0.255, 10.1.1.0, 10.1.1.1 and so on.
TEST(Range, NeverRunsPastTheBroadcastAddressItBeginsAt)
{
    const RangeSet set = set_of({part("10.1.0.0/24", "10.1.0.255", "")});

    EXPECT_THAT(candidates(set, ""), ElementsAre("10.1.0.255"));
    EXPECT_THAT(candidates(set, "10.1.0.255"), ElementsAre("10.1.0.255"));
}

TEST(Range, KnowsItsMembers)
{
    const Range v4 = set_of({part("192.0.2.0/24", "192.0.2.40", "192.0.2.50")}).ranges()[0];
    EXPECT_FALSE(v4.contains(ip("192.0.3.45")));
    EXPECT_FALSE(v4.contains(ip("192.0.2.39")));
    EXPECT_TRUE(v4.contains(ip("192.0.2.40")));
    EXPECT_TRUE(v4.contains(ip("192.0.2.50")));
    EXPECT_FALSE(v4.contains(ip("192.0.2.51")));
    EXPECT_FALSE(v4.contains(ip("2001:db8::1")));

    const Range v6 =
        set_of({part("2001:db8:1::/64", "2001:db8:1::40", "2001:db8:1::50")}).ranges()[0];
    EXPECT_FALSE(v6.contains(ip("2001:db8:2::")));
    EXPECT_FALSE(v6.contains(ip("2001:db8:1::39")));
    EXPECT_TRUE(v6.contains(ip("2001:db8:1::40")));
    EXPECT_TRUE(v6.contains(ip("2001:db8:1::50")));
    EXPECT_FALSE(v6.contains(ip("2001:db8:1::51")));
}

TEST(Range, OverlapsOnlyWhereAddressesAreShared)
{
    const auto overlap = [](const RangeConfig &a, const RangeConfig &b) {
        const RangeSet x = set_of({a});
        const RangeSet y = set_of({b});
        EXPECT_EQ(x.overlaps(y), y.overlaps(x));
        return x.overlaps(y);
    };

    EXPECT_FALSE(overlap(subnet("10.1.0.0/24"), subnet("10.2.0.0/24")));
    EXPECT_FALSE(overlap(subnet("10.1.0.0/24"), subnet("2001:db8::/64")));
    EXPECT_TRUE(overlap(subnet("10.1.0.0/24"), subnet("10.1.0.0/24")));
    EXPECT_TRUE(overlap(subnet("10.1.0.0/20"), subnet("10.1.2.0/24")));
    EXPECT_FALSE(
        overlap(part("10.1.0.0/24", "", "10.1.0.100"), part("10.1.0.0/24", "10.1.0.101", "")));
    EXPECT_TRUE(
        overlap(part("10.1.0.0/24", "", "10.1.0.100"), part("10.1.0.0/24", "10.1.0.100", "")));
}

TEST(RangeSet, RefusesWhatIsNoSet)
{
    EXPECT_EQ(refusal({}), "empty range set");
    EXPECT_EQ(refusal({subnet("10.0.0.0/24"), subnet("2001:db8::/64")}), "mixed address families");
    EXPECT_EQ(refusal({subnet("10.0.0.0/20"), subnet("10.0.2.0/24")}),
              "subnets 10.0.0.1-10.0.15.254 and 10.0.2.1-10.0.2.254 overlap");
}

TEST(RangeSet, FindsTheRangeOfAnAddress)
{
    const RangeSet set = set_of({subnet("192.168.0.0/24"), subnet("192.168.1.0/24")});

    ASSERT_NE(set.range_of(ip("192.168.1.55")), nullptr);
    EXPECT_EQ(set.range_of(ip("192.168.1.55"))->subnet.to_string(), "192.168.1.0/24");
    EXPECT_EQ(set.range_of(ip("192.168.99.99")), nullptr);
    EXPECT_EQ(set.to_string(), "192.168.0.1-192.168.0.254,192.168.1.1-192.168.1.254");
}

TEST(SearchOrder, LoopsFromTheBeginning)
{
    const RangeSet set = set_of({subnet("192.168.1.0/29")});

    EXPECT_THAT(candidates(set, ""), ElementsAre("192.168.1.2", "192.168.1.3", "192.168.1.4",
                                                 "192.168.1.5", "192.168.1.6"));
}

TEST(SearchOrder, LoopsFromTheEnd)
{
    const RangeSet set = set_of({subnet("192.168.1.0/29")});

    EXPECT_THAT(
        candidates(set, "192.168.1.6"),
        ElementsAre("192.168.1.2", "192.168.1.3", "192.168.1.4", "192.168.1.5", "192.168.1.6"));
}

TEST(SearchOrder, LoopsFromTheMiddleAndEndsWithTheLastReserved)
{
    const RangeSet set = set_of({subnet("192.168.1.0/29")});

    EXPECT_THAT(
        candidates(set, "192.168.1.3"),
        ElementsAre("192.168.1.4", "192.168.1.5", "192.168.1.6", "192.168.1.2", "192.168.1.3"));
}

TEST(SearchOrder, StartsOverWhenTheLastReservedIsOfAnotherRange)
{
    const RangeSet set = set_of({subnet("10.0.0.0/30")});

    EXPECT_THAT(candidates(set, "10.0.0.128"), ElementsAre("10.0.0.2"));
    EXPECT_THAT(candidates(set, "2001:db8::1"), ElementsAre("10.0.0.2"));
}

TEST(SearchOrder, GoesOnToTheNextRangeAndRoundToTheFirst)
{
    const RangeSet set =
        set_of({subnet("10.0.0.0/30"), subnet("10.0.1.0/30"), subnet("10.0.2.0/30")});

    EXPECT_THAT(candidates(set, ""), ElementsAre("10.0.0.2", "10.0.1.2", "10.0.2.2"));
    EXPECT_THAT(candidates(set, "10.0.0.2"), ElementsAre("10.0.1.2", "10.0.2.2", "10.0.0.2"));
    EXPECT_THAT(candidates(set, "10.0.2.2"), ElementsAre("10.0.0.2", "10.0.1.2", "10.0.2.2"));
}

TEST(SearchOrder, EndsAtTheLastAddressThereIs)
{
    const RangeSet set =
        set_of({part("ffff:ffff:ffff:ffff::/64", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "")});

    EXPECT_THAT(candidates(set, ""), ElementsAre("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
                                                 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

}  // namespace
}  // namespace tortie::host_local
