// SPDX-License-Identifier: Apache-2.0
#include "datapath/handover.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datapath/iptables_port_mapper.h"
#include "harness/temp_dir.h"
#include "netns/nftables_node.h"

namespace tortie {
namespace {

using testing::HasSubstr;
using testing::Not;

class HandoverTest : public NftablesPortMapperTest {
protected:
    Result<Handover> hand_over(const std::vector<Attachment> &known = {})
    {
        return node_->inside([&] { return hand_over_host_ports(mapper_, iptables_, known); });
    }

    std::string check_by_iptables(const Publication &publication)
    {
        Publication by_go = publication;
        for (PortMapping &each : by_go.mappings)
            each.protocol_text = name_of(each.protocol);
        const auto done = node_->inside([&] { return iptables_.check(by_go); });
        return done ? "" : done.error().what();
    }

    std::string nat() { return node_->run({"iptables-save", "-t", "nat"}); }

    test::TempDir folder_;
    IptablesPortMapper iptables_{"/usr/sbin:/usr/bin", folder_ / "lock"};
};

// Container ids as long as runtimes make them.
const std::string kOne(64, '1');
const std::string kTwo(64, '2');

TEST_F(HandoverTest, MakesEveryHostPortTheGoPluginsAndLeavesNothingOfOurs)
{
    Publication one = pod(kOne, 2, 8080);
    one.mappings.push_back(mapping(5353, "10.88.0.1", Protocol::kUdp));
    const Publication two = pod(kTwo, 3, 8081);
    publish(one);
    publish(two);

    const auto done = hand_over();

    ASSERT_TRUE(done) << done.error().what();
    EXPECT_EQ(done->ports, 3U);
    EXPECT_TRUE(done->kept.empty());
    EXPECT_EQ(check_by_iptables(two), "");
    EXPECT_THAT(nat(), HasSubstr("-d 10.88.0.1/32 -p udp -m udp --dport 5353 -j DNAT "
                                 "--to-destination 10.88.0.2:80"));
    EXPECT_THAT(nat(), HasSubstr("-s 10.88.0.0/16 -p tcp -m tcp --dport 8080 -j "
                                 "CNI-HOSTPORT-SETMARK"));
    EXPECT_THAT(map("published"), Not(HasSubstr("elements")));
    ASSERT_TRUE(node_->inside([] { return remove_tortie_table(); }));
    EXPECT_THAT(ruleset(), Not(HasSubstr("table inet tortie")));
    ASSERT_TRUE(node_->inside([] { return remove_tortie_table(); }));
}

TEST_F(HandoverTest, ADelOfTheContainerRemovesWhatItMade)
{
    const Publication one = pod(kOne, 2, 8080);
    publish(one);
    ASSERT_TRUE(hand_over());

    ASSERT_TRUE(node_->inside([&] { return iptables_.withdraw(one); }));

    EXPECT_THAT(nat(), Not(HasSubstr("8080")));
    EXPECT_THAT(nat(), Not(HasSubstr("CNI-DN-")));
}

TEST_F(HandoverTest, KeepsWhatIptablesCannotSayAndWhatHasNoWholeName)
{
    Publication conditions = pod(kOne, 2, 8080);
    conditions.policy.conditions_v4 = {"meta", "iifname", "!=", "\"eth7\""};
    Publication nameless = pod(std::string(180, 'x'), 3, 8081);
    publish(conditions);
    publish(nameless);

    const auto kept = hand_over();

    ASSERT_TRUE(kept) << kept.error().what();
    EXPECT_EQ(kept->ports, 0U);
    ASSERT_EQ(kept->kept.size(), 2U) << testing::PrintToString(kept->kept);
    EXPECT_THAT(kept->kept[0], HasSubstr("conditions in nft's words"));
    EXPECT_THAT(kept->kept[1], HasSubstr("whole name is not known"));
    EXPECT_EQ(check(conditions), "");

    const auto with_runtime = hand_over({nameless.attachment});

    ASSERT_TRUE(with_runtime) << with_runtime.error().what();
    EXPECT_EQ(with_runtime->ports, 1U);
    EXPECT_EQ(check_by_iptables(nameless), "");
}

TEST_F(HandoverTest, OnANodeWithoutHostPortsThereIsNothingToDo)
{
    const auto done = hand_over();

    ASSERT_TRUE(done) << done.error().what();
    EXPECT_EQ(done->ports, 0U);
    EXPECT_THAT(nat(), Not(HasSubstr("CNI-")));
}

TEST_F(HandoverTest, ListsHostPortsForPeople)
{
    publish(pod("abc", 2, 8080));

    const auto lines = node_->inside([] { return list_host_ports(); });

    ASSERT_TRUE(lines);
    ASSERT_EQ(lines->size(), 1U);
    EXPECT_EQ(lines->front(), "8080/tcp -> 10.88.0.2 80 of net abc eth0");
}

}  // namespace
}  // namespace tortie
