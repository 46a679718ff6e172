// SPDX-License-Identifier: Apache-2.0
#include "netns/nftables_node.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/temp_dir.h"

namespace tortie {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST_F(NftablesPortMapperTest, WritesATableThatNftReloadsUnchanged)
{
    Publication all = pod("all", 2, 8080);
    all.addresses.push_back(*Cidr::parse("fd00:88::2/64"));
    all.mappings = {mapping(8080), mapping(53, "192.0.2.1", Protocol::kUdp),
                    mapping(9, "2001:db8::1", Protocol::kSctp)};
    Publication single = pod("single", 3, 81);
    single.addresses = {*Cidr::parse("10.99.0.3/32"), *Cidr::parse("fd00:99::3/128")};
    Publication everything = pod("everything", 4, 82);
    everything.policy.masq_all = true;
    Publication under_conditions = pod("conditions", 5, 83);
    under_conditions.policy.conditions_v4 = {"iifname", "\"eth0\""};
    for (const Publication &each : {all, single, everything, under_conditions, pod("w", 6, 8080)})
        publish(each);
    const std::string listing = ruleset();

    const test::TempDir dir;
    ASSERT_TRUE(replace_file(dir / "rules", "flush ruleset\n" + listing, 0600));
    nft({"-f", dir / "rules"});

    EXPECT_EQ(ruleset(), listing);
    for (const Publication &each : {all, single, everything, under_conditions, pod("w", 6, 8080)})
        EXPECT_EQ(check(each), "");
    EXPECT_THAT(withdraw(all), SizeIs(4));
}

TEST_F(NftablesPortMapperTest, ShowsWhoseAPortIsInTheListing)
{
    publish(pod("3f5c8a", 2, 8080));

    EXPECT_THAT(map("ports4"), HasSubstr("tcp . 8080 comment \"net 3f5c8a eth0 "));
    EXPECT_THAT(map("ports4"), HasSubstr(" : 10.88.0.2 . 80"));
}

TEST_F(NftablesPortMapperTest, PublishesSctpBesideTcpOfTheSameNumber)
{
    Publication both = pod("ctr", 2, 8080);
    both.mappings.push_back(mapping(8080, std::nullopt, Protocol::kSctp));

    publish(both);

    EXPECT_EQ(check(both), "");
    EXPECT_THAT(map("ports4"), HasSubstr("tcp . 8080 "));
    EXPECT_THAT(map("ports4"), HasSubstr("sctp . 8080 "));
}

TEST_F(NftablesPortMapperTest, PublishesOnePortOfTwoHostAddressesForTwoPods)
{
    Publication first = pod("first", 2, 8080);
    first.mappings = {mapping(8080, "192.0.2.1")};
    Publication second = pod("second", 3, 8080);
    second.mappings = {mapping(8080, "192.0.2.2")};

    EXPECT_THAT(publish(first), IsEmpty());
    EXPECT_THAT(publish(second), IsEmpty());
    withdraw(first);

    EXPECT_THAT(map("addrs4"), Not(HasSubstr("192.0.2.1 ")));
    EXPECT_THAT(map("addrs4"), HasSubstr("192.0.2.2 . tcp . 8080 "));
    EXPECT_EQ(check(second), "");
}

TEST_F(NftablesPortMapperTest, WithdrawsEverythingAndSaysWhat)
{
    Publication both = pod("ctr", 2, 8080);
    both.addresses.push_back(*Cidr::parse("fd00:88::2/64"));
    both.mappings.push_back(mapping(53, "192.0.2.1", Protocol::kUdp));
    publish(both);
    EXPECT_EQ(check(both), "");

    const auto withdrawn = withdraw(both);

    EXPECT_THAT(
        withdrawn,
        testing::UnorderedElementsAre(
            PublishedPort{Protocol::kTcp, std::nullopt, 8080, *IpAddr::parse("10.88.0.2"), 80},
            PublishedPort{Protocol::kTcp, std::nullopt, 8080, *IpAddr::parse("fd00:88::2"), 80},
            PublishedPort{Protocol::kUdp, IpAddr::parse("192.0.2.1"), 53,
                          *IpAddr::parse("10.88.0.2"), 80}));
    EXPECT_THAT(ruleset(), Not(HasSubstr("elements")));
    EXPECT_THAT(withdraw(both), IsEmpty());
}

// Without a NAT rule nothing is tracked any more, and live flows of others would break.
TEST_F(NftablesPortMapperTest, KeepsItsBaseChainsAfterTheLastPort)
{
    publish(pod("ctr", 2, 8080));
    withdraw(pod("ctr", 2, 8080));

    EXPECT_EQ(count(ruleset(), "type nat hook"), 3);
}

TEST_F(NftablesPortMapperTest, WithdrawsWithoutKnowingMappingsOrAddresses)
{
    Publication published = pod("ctr", 2, 8080);
    published.policy.conditions_v4 = {"iifname", "eth0"};
    published.mappings.push_back(mapping(8081));
    publish(published);
    Publication bare = pod("ctr", 2, 1);
    bare.addresses.clear();
    bare.mappings.clear();

    EXPECT_THAT(withdraw(bare), SizeIs(2));
    EXPECT_THAT(ruleset(), Not(HasSubstr("elements")));
}

TEST_F(NftablesPortMapperTest, WithdrawsWhereThereIsNothing)
{
    EXPECT_THAT(withdraw(pod("ctr", 2, 8080)), IsEmpty());
    EXPECT_EQ(ruleset(), "");
}

TEST_F(NftablesPortMapperTest, WithdrawsWhatARenamedNetworkLeft)
{
    publish(pod("ctr", 2, 8080));
    Publication renamed = pod("ctr", 2, 8080);
    renamed.attachment.network = "other";

    EXPECT_THAT(withdraw(renamed), SizeIs(1));
}

TEST_F(NftablesPortMapperTest, KeepsTwoInterfacesOfAContainerApart)
{
    Publication second = pod("ctr", 2, 81);
    second.attachment.network = "second";
    second.attachment.ifname = "eth1";
    publish(pod("ctr", 2, 80));
    publish(second);

    withdraw(pod("ctr", 2, 80));

    EXPECT_EQ(check(second), "");
}

TEST_F(NftablesPortMapperTest, ChangesNothingWhenAnAddIsRepeated)
{
    publish(pod("ctr", 2, 8080));
    const std::string once = ruleset();

    publish(pod("ctr", 2, 8080));

    EXPECT_EQ(ruleset(), once);
}

TEST_F(NftablesPortMapperTest, ReplacesWhatTheAttachmentHadBefore)
{
    publish(pod("ctr", 2, 8080));

    publish(pod("ctr", 3, 9090));

    EXPECT_THAT(map("ports4"), AllOf(HasSubstr("9090"), Not(HasSubstr("8080"))));
    Publication none = pod("ctr", 3, 9090);
    none.mappings.clear();
    publish(none);
    EXPECT_THAT(ruleset(), Not(HasSubstr("elements")));
}

TEST_F(NftablesPortMapperTest, LeavesAPortToTheOlderPodUntilThatIsGone)
{
    publish(pod("old", 2, 8080));

    const auto holders = publish(pod("young", 3, 8080));

    EXPECT_THAT(holders, ElementsAre(PublishedPort{Protocol::kTcp, std::nullopt, 8080,
                                                   *IpAddr::parse("10.88.0.2"), 80}));
    EXPECT_EQ(check(pod("old", 2, 8080)), "");
    EXPECT_EQ(check(pod("young", 3, 8080)), "");
    EXPECT_THAT(map("ports4"), HasSubstr("10.88.0.2"));

    withdraw(pod("old", 2, 8080));
    EXPECT_THAT(map("ports4"), HasSubstr("10.88.0.3"));
    EXPECT_THAT(map("waiting4"), Not(HasSubstr("elements")));
    EXPECT_THAT(set("masq_ports4_16"), HasSubstr("net young eth0"));
    EXPECT_EQ(check(pod("young", 3, 8080)), "");
}

TEST_F(NftablesPortMapperTest, GivesThePortToTheOldestOfThoseThatWait)
{
    Publication one_address = pod("third", 4, 8080);
    one_address.mappings = {mapping(8080, "192.0.2.1")};
    publish(pod("first", 2, 8080));
    publish(pod("second", 3, 8080));
    publish(one_address);

    withdraw(pod("first", 2, 8080));
    EXPECT_THAT(map("ports4"), HasSubstr("net second"));
    EXPECT_THAT(map("addrs4"), Not(HasSubstr("elements")));

    withdraw(pod("second", 3, 8080));
    EXPECT_THAT(map("addrs4"), HasSubstr("net third"));
    EXPECT_EQ(check(one_address), "");
}

TEST_F(NftablesPortMapperTest, ForgetsAClaimThatIsWithdrawnWhileItWaits)
{
    publish(pod("old", 2, 8080));
    publish(pod("young", 3, 8080));

    EXPECT_THAT(withdraw(pod("young", 3, 8080)), IsEmpty());

    EXPECT_THAT(map("waiting4"), Not(HasSubstr("elements")));
    EXPECT_EQ(check(pod("old", 2, 8080)), "");
}

TEST_F(NftablesPortMapperTest, MasqueradesTheSubnetAndLocalhost)
{
    publish(pod("ctr", 2, 8080));

    EXPECT_THAT(set("masq_ports4_16"), HasSubstr("10.88.0.0 . tcp . 8080"));
    EXPECT_THAT(set("masq_ports4_8"), HasSubstr("127.0.0.0 . tcp . 8080"));
    EXPECT_THAT(nft({"list", "chain", "inet", "tortie", "from_ports4"}),
                HasSubstr("ip saddr & 255.255.0.0 . meta l4proto . th dport @masq_ports4_16"));
}

// 10.5.6.7 & 255.0.0.0 is 10.0.0.0: one set for all lengths would take it for the subnet.
TEST_F(NftablesPortMapperTest, KeepsSourcesOfDifferentPrefixLengthsApart)
{
    Publication first_subnet = pod("ctr", 2, 8080);
    first_subnet.addresses = {*Cidr::parse("10.0.0.2/24")};

    publish(first_subnet);

    EXPECT_THAT(set("masq_ports4_24"), HasSubstr("10.0.0.0 . tcp . 8080"));
    EXPECT_THAT(set("masq_ports4_8"), Not(HasSubstr("10.0.0.0")));
}

TEST_F(NftablesPortMapperTest, MasqueradesEverySourceOrNone)
{
    Publication every = pod("every", 2, 80);
    every.policy.masq_all = true;
    Publication none = pod("none", 3, 81);
    none.policy.snat = false;
    publish(every);
    publish(none);

    EXPECT_THAT(set("masq_ports4_0"), HasSubstr("0.0.0.0 . tcp . 80"));
    EXPECT_THAT(ruleset(), Not(HasSubstr("0 . tcp . 81")));
}

TEST_F(NftablesPortMapperTest, KeepsTheConditionsOfNetworksApart)
{
    Publication a = pod("a", 2, 80);
    a.policy.conditions_v4 = {"iifname", "\"eth0\""};
    Publication b = pod("b", 3, 80);
    b.policy.conditions_v4 = {"ip", "saddr", "192.0.2.0/24"};
    publish(a);
    publish(b);
    publish(pod("c", 4, 80));

    const std::string chain = nft({"list", "chain", "inet", "tortie", "hostports"});

    EXPECT_THAT(chain, HasSubstr("meta nfproto ipv4 iifname \"eth0\" jump hostports4_"));
    EXPECT_THAT(chain, HasSubstr("ip saddr 192.0.2.0/24 jump hostports4_"));
    for (const Publication &each : {a, b, pod("c", 4, 80)})
        EXPECT_EQ(check(each), "");
    withdraw(a);
    EXPECT_EQ(check(b), "");
}

TEST_F(NftablesPortMapperTest, ChangesNothingWhenNftRefusesTheConditions)
{
    for (const std::vector<std::string> &words :
         {std::vector<std::string>{"no", "such", "words"}, {"accept", "#"}, {"accept;"}}) {
        Publication bad = pod("ctr", 2, 80);
        bad.policy.conditions_v4 = words;

        const auto done = try_publish(bad);

        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().kind(), ErrorKind::kInvalidInput) << done.error().what();
        EXPECT_EQ(ruleset(), "");
    }
}

TEST_F(NftablesPortMapperTest, PublishesThousandsOfPortsAtOnce)
{
    Publication many = pod("many", 2, 1);
    many.mappings.clear();
    for (std::uint16_t port = 1; port <= 5000; ++port)
        many.mappings.push_back(mapping(port));
    publish(many);
    EXPECT_EQ(check(many), "");

    Publication bare = many;
    bare.mappings.clear();
    EXPECT_THAT(withdraw(bare), SizeIs(5000));
    EXPECT_THAT(ruleset(), Not(HasSubstr("elements")));
}

}  // namespace
}  // namespace tortie
