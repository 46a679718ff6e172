// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

IpAddr ip(std::string_view text)
{
    return *IpAddr::parse(text);
}

PortClaim claim(std::string_view id, std::uint32_t rank,
                std::optional<std::string_view> host_ip = std::nullopt)
{
    PortClaim out;
    out.host_port = 8080;
    out.target = ip("10.88.0.2");
    out.target_port = 80;
    out.owner = ClaimOwner::of({"net", std::string(id), "eth0"});
    out.rank = rank;
    if (host_ip)
        out.host_ip = ip(*host_ip);
    return out;
}

std::vector<std::string> active_ids(std::vector<PortClaim> claims)
{
    decide_active(claims);
    std::vector<std::string> ids;
    for (const PortClaim &one : claims) {
        if (one.active)
            ids.push_back(one.owner.container_id);
    }
    return ids;
}

Publication publication()
{
    return {.attachment = {"net", "ctr", "eth0"},
            .addresses = {*Cidr::parse("10.88.0.2/16"), *Cidr::parse("fd00::2/64")},
            .mappings = {},
            .policy = {}};
}

PortMapping mapping(std::uint16_t host_port, std::optional<std::string_view> host_ip = std::nullopt)
{
    PortMapping out;
    out.host_port = host_port;
    out.container_port = 80;
    if (host_ip)
        out.host_ip = ip(*host_ip);
    return out;
}

std::vector<std::string> texts(const std::vector<PortClaim> &claims)
{
    std::vector<std::string> out;
    out.reserve(claims.size());
    for (const PortClaim &one : claims)
        out.push_back(one.to_string() + " " + one.target.to_string());
    return out;
}

TEST(DecideActive, LeavesThePortToTheOlder)
{
    EXPECT_THAT(active_ids({claim("young", 2), claim("old", 1)}), ElementsAre("old"));
}

TEST(DecideActive, LetsAnOlderClaimToEveryAddressCoverALaterOneToOneAddress)
{
    EXPECT_THAT(active_ids({claim("everywhere", 1), claim("one", 2, "10.0.0.1")}),
                ElementsAre("everywhere"));
}

TEST(DecideActive, LetsAnOlderClaimToOneAddressLiveBesideALaterOneToEveryAddress)
{
    EXPECT_THAT(active_ids({claim("one", 1, "10.0.0.1"), claim("everywhere", 2)}),
                ElementsAre("one", "everywhere"));
}

TEST(DecideActive, LetsDifferentAddressesLiveSideBySide)
{
    EXPECT_THAT(active_ids({claim("a", 1, "10.0.0.1"), claim("b", 2, "10.0.0.2")}),
                ElementsAre("a", "b"));
}

TEST(DecideActive, TakesNothingFromAClaimThatPacketsFollow)
{
    PortClaim holder = claim("holder", 9);
    holder.active = true;

    EXPECT_THAT(active_ids({claim("restored with a lower rank", 1), holder}),
                ElementsAre("holder"));
}

// The specific one waited for an older specific one, which is gone; the claim to every address
// came after both.
TEST(DecideActive, GivesATurnToOneAddressThatIsOlderThanTheActiveEveryAddress)
{
    PortClaim everywhere = claim("everywhere", 3);
    everywhere.active = true;

    EXPECT_THAT(active_ids({claim("waited", 2, "10.0.0.1"), everywhere}),
                ElementsAre("waited", "everywhere"));
}

TEST(DecideActive, KeepsProtocolsAndFamiliesApart)
{
    PortClaim udp = claim("udp", 2);
    udp.protocol = Protocol::kUdp;
    PortClaim v6 = claim("v6", 3);
    v6.target = ip("fd00::2");

    EXPECT_THAT(active_ids({claim("tcp", 1), udp, v6}), SizeIs(3));
}

TEST(ClaimsOf, MakesOneClaimForEachFamilyWithoutHostIp)
{
    Publication two = publication();
    two.mappings = {mapping(8080)};

    EXPECT_THAT(texts(claims_of(two)), ElementsAre("8080/tcp 10.88.0.2", "8080/tcp fd00::2"));
}

TEST(ClaimsOf, TakesAnUnspecifiedHostIpAsEveryAddressOfItsOwnFamily)
{
    Publication two = publication();
    two.mappings = {mapping(80, "0.0.0.0"), mapping(81, "::")};

    EXPECT_THAT(texts(claims_of(two)), ElementsAre("80/tcp 10.88.0.2", "81/tcp fd00::2"));
}

TEST(ClaimsOf, LeavesOutWhatAnEarlierMappingOfTheContainerCovers)
{
    Publication one = publication();
    one.addresses.pop_back();
    one.mappings = {mapping(80, "10.0.0.1"), mapping(80), mapping(80, "10.0.0.2"),
                    mapping(80, "10.0.0.1")};

    EXPECT_THAT(texts(claims_of(one)),
                ElementsAre("10.0.0.1:80/tcp 10.88.0.2", "80/tcp 10.88.0.2"));
}

TEST(MasqueradedSources, AreTheSubnetAndLocalhostOnIpv4)
{
    const MasqueradedSources subnet{.kind = MasqueradedSources::Kind::kSubnet, .prefix = 16};

    EXPECT_THAT(subnet.networks(ip("10.88.0.2")),
                ElementsAre(*Cidr::parse("10.88.0.0/16"), *Cidr::parse("127.0.0.0/8")));
    EXPECT_THAT(subnet.networks(ip("fd00::2")), ElementsAre(*Cidr::parse("fd00::/16")));
}

TEST(MasqueradedSources, AreEverythingOrNothingWhereThePolicySaysSo)
{
    const MasqueradedSources every{.kind = MasqueradedSources::Kind::kEvery};

    EXPECT_THAT(every.networks(ip("10.88.0.2")), ElementsAre(*Cidr::parse("0.0.0.0/0")));
    EXPECT_THAT(MasqueradedSources{}.networks(ip("10.88.0.2")), IsEmpty());
}

TEST(ClaimComment, IsReadBackAsItWasWritten)
{
    PortClaim written = claim("ctr", 0xfffffffe);
    written.sources = {.kind = MasqueradedSources::Kind::kSubnet, .prefix = 24};

    const auto note = parse_claim_comment(claim_comment(written));

    ASSERT_TRUE(note);
    EXPECT_EQ(note->owner, written.owner);
    EXPECT_EQ(note->owner.network_key, written.owner.network_key);
    EXPECT_EQ(note->rank, written.rank);
    EXPECT_EQ(note->sources, written.sources);
    EXPECT_THAT(claim_comment(written), StartsWith("net ctr eth0 "));
}

TEST(ClaimComment, FitsAndStaysExactForNamesOfAnyLength)
{
    PortClaim a = claim("x", 0xffffffff);
    a.owner = ClaimOwner::of({std::string(300, 'n'), std::string(300, 'c'), "eth0123456789ab"});
    a.sources = {.kind = MasqueradedSources::Kind::kSubnet, .prefix = 128};
    PortClaim b = a;
    b.owner =
        ClaimOwner::of({std::string(300, 'n'), std::string(299, 'c') + "d", "eth0123456789ab"});

    EXPECT_LE(claim_comment(a).size(), 127u);
    EXPECT_EQ(parse_claim_comment(claim_comment(a))->owner, a.owner);
    EXPECT_FALSE(parse_claim_comment(claim_comment(b))->owner == a.owner);
}

TEST(ClaimComment, ShowsNoByteThatWouldEndIt)
{
    PortClaim odd = claim("ctr", 1);
    odd.owner = ClaimOwner::of({"net", "ctr", "e\"\n\\"});

    EXPECT_THAT(claim_comment(odd), Not(HasSubstr("\"")));
    EXPECT_THAT(claim_comment(odd), HasSubstr("e???"));
    EXPECT_EQ(parse_claim_comment(claim_comment(odd))->owner, odd.owner);
}

TEST(ClaimComment, OfSomebodyElseIsNotTakenForOurs)
{
    const std::string ours = claim_comment(claim("ctr", 1));

    EXPECT_FALSE(parse_claim_comment(""));
    EXPECT_FALSE(parse_claim_comment("web server"));
    EXPECT_FALSE(parse_claim_comment(ours + " more"));
    EXPECT_FALSE(parse_claim_comment(ours.substr(0, ours.size() - 2)));
    EXPECT_FALSE(parse_claim_comment("a b c " + std::string(32, 'G') + " 1 snat=no"));
    EXPECT_FALSE(parse_claim_comment("a b c " + std::string(32, 'a') + " 1 snat=/129"));
}

TEST(ClaimOwner, IsTheContainersInterfaceWhateverTheNetworkIsCalled)
{
    const ClaimOwner owner = ClaimOwner::of({"net", "ctr", "eth0"});

    EXPECT_EQ(ClaimOwner::of({"renamed", "ctr", "eth0"}), owner);
    EXPECT_FALSE(ClaimOwner::of({"net", "ctr", "eth1"}) == owner);
    EXPECT_FALSE(ClaimOwner::of({"net", "ctre", "th0"}) == owner);
}

}  // namespace
}  // namespace tortie
