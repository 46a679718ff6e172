// SPDX-License-Identifier: Apache-2.0
#include "datapath/nftables_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

PortSpace space(const std::vector<std::string> &words)
{
    return PortSpace::of(Family::kIpv4, words);
}

PortClaim claim(bool active, std::optional<IpAddr> host_ip)
{
    PortClaim out{.protocol = Protocol::kUdp,
                  .host_port = 53,
                  .host_ip = host_ip,
                  .target = *IpAddr::parse("10.88.0.2"),
                  .target_port = 5353,
                  .sources = {.kind = MasqueradedSources::Kind::kEvery},
                  .owner = ClaimOwner::of({"net", "ctr", "eth0"}),
                  .rank = 7};
    out.active = active;
    return out;
}

class ClaimElement : public testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(ClaimElement, IsReadBackAsItWasWritten)
{
    const auto [active, one_address] = GetParam();
    const PortClaim written =
        claim(active, one_address ? IpAddr::parse("192.0.2.1") : std::nullopt);

    const PortClaim read = claim_in(element_of(written), map_of(space({}), written), Family::kIpv4);

    EXPECT_TRUE(read.same_as(written));
    EXPECT_EQ(read.rank, 7u);
    EXPECT_EQ(read.active, active);
}

INSTANTIATE_TEST_SUITE_P(ActiveAndOneAddress, ClaimElement,
                         testing::Combine(testing::Bool(), testing::Bool()));

TEST(ForeignElement, HasNoOwner)
{
    nft::Element element = element_of(claim(true, std::nullopt));
    element.comment = "web server";

    EXPECT_EQ(claim_in(element, "ports4", Family::kIpv4).owner.key, "");
}

TEST(ClaimMap, IsKnownByItsName)
{
    EXPECT_EQ(claim_map_of("ports4")->space.suffix, "4");
    EXPECT_EQ(claim_map_of("waiting6_0a1b2c3d")->space.suffix, "6_0a1b2c3d");
    EXPECT_EQ(claim_map_of("addrs6")->space.family, Family::kIpv6);
    EXPECT_FALSE(claim_map_of("masq_ports4_24"));
    EXPECT_FALSE(claim_map_of("published"));
    EXPECT_FALSE(claim_map_of("ports"));
    EXPECT_FALSE(claim_map_of("portsX"));
}

TEST(PortSpace, BelongsToOneListOfConditions)
{
    EXPECT_EQ(space({}).suffix, "4");
    EXPECT_NE(space({"iifname", "eth0"}).suffix, space({"iifname", "eth1"}).suffix);
    EXPECT_EQ(space({"iifname", "eth0"}).suffix, space({"iifname eth0"}).suffix);
}

TEST(EntryScript, PutsTheWordsBetweenFamilyAndJump)
{
    const auto script = entry_script(space({"iifname", "\"eth0\""}));

    ASSERT_TRUE(script);
    EXPECT_THAT(*script, HasSubstr("insert rule inet tortie hostports meta nfproto ipv4 "
                                   "iifname \"eth0\" jump hostports4_"));
    EXPECT_THAT(*script, EndsWith("\"\n"));
}

TEST(EntryScript, RefusesWordsThatCouldEndTheRule)
{
    for (const char *words : {"a;b", "a\nb", "a #", "a \\", "a \"", "$a", "a\tb", "\x7f", "\xc3"}) {
        const auto script = entry_script(space({words}));

        ASSERT_FALSE(script) << words;
        EXPECT_EQ(script.error().kind(), ErrorKind::kInvalidInput);
    }
}

TEST(LayoutState, MissesARuleThatIsGoneTwiceThereOrInAnotherOrder)
{
    const auto guard = [](std::vector<nft::Rule> rules) {
        return LayoutState(std::move(rules)).has_guard();
    };
    const nft::Rule drop{"localnet", 1, "only lo brings 127.0.0.0/8", ""};
    const nft::Rule other{"localnet", 2, "somebody's", ""};
    const nft::Rule elsewhere{"output", 3, "somebody's", ""};

    EXPECT_TRUE(guard({drop}));
    EXPECT_TRUE(guard({elsewhere, drop}));
    EXPECT_FALSE(guard({}));
    EXPECT_FALSE(guard({drop, drop}));
    EXPECT_FALSE(guard({other, drop}));
    EXPECT_FALSE(guard({drop, other}));
}

}  // namespace
}  // namespace tortie
