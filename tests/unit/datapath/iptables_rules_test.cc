// SPDX-License-Identifier: Apache-2.0
#include "datapath/iptables_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sys/iptables.h"

namespace tortie {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

PortMapping mapping(std::uint16_t host_port, std::uint16_t container_port,
                    Protocol protocol = Protocol::kTcp, std::string text = "tcp")
{
    return {.host_port = host_port,
            .container_port = container_port,
            .protocol = protocol,
            .protocol_text = std::move(text),
            .host_ip = std::nullopt};
}

Publication pod()
{
    Publication publication;
    publication.attachment = {"pmnet", "cont1", "eth0"};
    publication.mappings = {mapping(8080, 80)};
    return publication;
}

Cidr cidr(std::string_view text)
{
    return Cidr::parse(text).value();
}

TEST(IptablesRules, NameChainsAsTheGoPluginDoes)
{
    EXPECT_EQ(dnat_chain_of({"pmnet", "cont1", "eth0"}), "CNI-DN-692d1922717b10c2f0d4f");
    EXPECT_EQ(old_snat_chain_of({"pmnet", "cont1", "eth0"}), "CNI-SN-692d1922717b10c2f0d4f");
}

TEST(IptablesRules, MarkTheContainersSubnetAndLocalhostBeforeTheyForward)
{
    EXPECT_THAT(container_rules(pod(), cidr("10.66.0.2/24")),
                ElementsAre("-s 10.66.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK",
                            "-s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK",
                            "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.66.0.2:80"));
}

TEST(IptablesRules, ForIpv6BracketTheTargetAndKnowNoLocalhost)
{
    EXPECT_THAT(container_rules(pod(), cidr("fd00::2/64")),
                ElementsAre("-s fd00::/64 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK",
                            "-p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::2]:80"));
}

TEST(IptablesRules, OnlyForwardWithoutSnat)
{
    Publication publication = pod();
    publication.policy.snat = false;

    EXPECT_THAT(container_rules(publication, cidr("10.66.0.2/24")),
                ElementsAre("-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.66.0.2:80"));
}

TEST(IptablesRules, MarkEverySourceWithMasqAllInTheExternalChain)
{
    Publication publication = pod();
    publication.policy.masq_all = true;
    publication.policy.external_set_mark_chain = "KUBE-MARK-MASQ";

    EXPECT_THAT(container_rules(publication, cidr("10.66.0.2/24")),
                ElementsAre("-p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ",
                            "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.66.0.2:80"));
}

TEST(IptablesRules, AskForTheHostIpInItsOwnFamilyOnly)
{
    Publication publication = pod();
    publication.policy.snat = false;
    publication.mappings[0].host_ip = IpAddr::parse("192.0.2.1");

    EXPECT_THAT(container_rules(publication, cidr("10.66.0.2/24")),
                ElementsAre("-d 192.0.2.1/32 -p tcp -m tcp --dport 8080 "
                            "-j DNAT --to-destination 10.66.0.2:80"));
    EXPECT_THAT(container_rules(publication, cidr("fd00::2/64")), IsEmpty());

    publication.mappings[0].host_ip = IpAddr::parse("::");
    EXPECT_THAT(container_rules(publication, cidr("fd00::2/64")),
                ElementsAre("-p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::2]:80"));
}

TEST(IptablesRules, GroupJumpsBySpellingAndFifteenPorts)
{
    Publication publication = pod();
    publication.mappings.clear();
    for (std::uint16_t port = 1; port <= 16; port++)
        publication.mappings.push_back(mapping(port, 80));
    publication.mappings.push_back(mapping(53, 53, Protocol::kUdp, "UDP"));

    EXPECT_THAT(container_jumps(publication, Family::kIpv4).value(),
                ElementsAre(HasSubstr("-p udp -m comment --comment \"dnat name: \\\"pmnet\\\" id: "
                                      "\\\"cont1\\\"\" -m multiport --dports 53 -j CNI-DN-"),
                            HasSubstr("--dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -j"),
                            HasSubstr("--dports 16 -j")));
}

TEST(IptablesRules, PutConditionsBetweenPortsAndJumpAndQuoteThem)
{
    Publication publication = pod();
    publication.policy.conditions_v4 = {"-s", "10.0.0.0/8", "-m", "comment", "--comment", "a b\""};

    EXPECT_THAT(container_jumps(publication, Family::kIpv4).value(),
                ElementsAre(HasSubstr(
                    "--dports 8080 -s 10.0.0.0/8 -m comment --comment \"a b\\\"\" -j CNI-DN-")));
    EXPECT_THAT(container_jumps(publication, Family::kIpv6).value(),
                ElementsAre(HasSubstr("--dports 8080 -j CNI-DN-")));
}

TEST(IptablesRules, RefuseConditionsThatWouldEndTheLine)
{
    Publication publication = pod();
    for (const char *word : {"-j\nCOMMIT", "", "a\tb"}) {
        publication.policy.conditions_v4 = {"-s", word};
        EXPECT_FALSE(container_jumps(publication, Family::kIpv4)) << word;
    }
}

TEST(IptablesRules, CutTheCommentWhereTheKernelCutsTheGoPlugins)
{
    const std::string comment = jump_comment({std::string(300, 'n'), "cont1", "eth0"});

    EXPECT_THAT(comment, SizeIs(255 + 2 + 1));  // quotes around, one escaped quote inside
    EXPECT_TRUE(comment.ends_with("nnn..\""));
}

TEST(IptablesRules, ReadTheirOwnComments)
{
    const std::string comment = unquoted(jump_comment({"pmnet", "cont-1.x", "eth0"}));

    const CommentedJump jump = read_jump_comment(comment);

    EXPECT_EQ(comment, "dnat name: \"pmnet\" id: \"cont-1.x\"");
    EXPECT_EQ(jump.network, "pmnet");
    EXPECT_EQ(jump.container_id, "cont-1.x");
    EXPECT_TRUE(jump.complete);
}

TEST(IptablesRules, DoNotTakeACutIdForAWholeOne)
{
    const std::string comment = unquoted(jump_comment({"net", std::string(300, 'c'), "eth0"}));

    const CommentedJump jump = read_jump_comment(comment);

    EXPECT_EQ(jump.network, "net");
    EXPECT_FALSE(jump.complete);
}

TEST(IptablesRules, TakeNoOtherCommentForTheirs)
{
    for (const char *comment : {"", "mine", "dnat name: ", "dnat name: \"net\"", "dnat name: \"net",
                                "x dnat name: \"net\" id: \"c\""}) {
        EXPECT_EQ(read_jump_comment(comment).network, "") << comment;
        EXPECT_FALSE(read_jump_comment(comment).complete) << comment;
    }
}

TEST(IptablesRules, TellWhatADnatRulePublishes)
{
    const auto v4 = published_by(
        "-d 192.0.2.1/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.0.2:5353");
    ASSERT_TRUE(v4);
    EXPECT_EQ(*v4, (PublishedPort{Protocol::kUdp, IpAddr::parse("192.0.2.1"), 53,
                                  *IpAddr::parse("10.0.0.2"), 5353}));

    const auto v6 = published_by("-p sctp -m sctp --dport 1 -j DNAT --to-destination [fd00::2]:2");
    ASSERT_TRUE(v6);
    EXPECT_EQ(*v6, (PublishedPort{Protocol::kSctp, std::nullopt, 1, *IpAddr::parse("fd00::2"), 2}));

    for (const char *other :
         {"-p tcp -m tcp --dport 80 -j CNI-HOSTPORT-SETMARK",
          "-j DNAT --to-destination 10.0.0.2:80",
          "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2-10.0.0.9:80",
          "-p icmp -j DNAT --to-destination 10.0.0.2", "", "-j DNAT "})
        EXPECT_FALSE(published_by(other)) << other;
}

}  // namespace
}  // namespace tortie
