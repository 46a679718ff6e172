// SPDX-License-Identifier: Apache-2.0
#include "ipam/pools.h"

#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

store::Pool pool(const std::string &name, const std::string &cidr_text)
{
    store::Pool made;
    made.name = name;
    made.cidr = cidr_text;
    return made;
}

std::vector<std::string> names(const std::vector<UsablePool> &pools)
{
    std::vector<std::string> all;
    for (const UsablePool &each : pools)
        all.push_back(each.name);
    return all;
}

TEST(UsablePools, LeaveOutWhatIsOffOrGoingOrNotAllocatable)
{
    std::vector<store::Pool> pools = {pool("on", "10.0.0.0/16"), pool("off", "10.1.0.0/16"),
                                      pool("going", "10.2.0.0/16"), pool("not", "10.3.0.0/16")};
    pools[1].disabled = true;
    pools[2].deleting = true;
    pools[3].allocatable = false;

    EXPECT_THAT(names(usable_pools(pools)), ElementsAre("on"));
}

TEST(UsablePools, LeaveOutImpossibleOnesAndMaskTheRest)
{
    std::vector<store::Pool> pools = {pool("unmasked", "10.0.3.4/16"), pool("nonsense", "10.0/16"),
                                      pool("small", "10.1.0.0/27"),    pool("huge", "10.2.0.0/16"),
                                      pool("wrong", "10.3.0.0/16"),    pool("six", "fd00::/64")};
    pools[3].block_size = 19;
    pools[4].block_size = -1;

    const auto usable = usable_pools(pools);

    EXPECT_THAT(names(usable), ElementsAre("unmasked", "six"));
    EXPECT_EQ(usable[0].cidr, cidr("10.0.0.0/16"));
    EXPECT_EQ(usable[0].block_prefix, 26U);
    EXPECT_EQ(usable[1].block_prefix, 122U);
}

TEST(RequestedPools, MayBeCidrsOrNamesAlsoOfDisabledPools)
{
    std::vector<store::Pool> pools = {pool("lab", "10.0.0.0/16")};
    pools[0].disabled = true;
    const std::vector<std::string> entries = {"lab", "10.7.3.4/16"};

    const auto requested = requested_pools(entries, Family::kIpv4, pools);

    ASSERT_TRUE(requested);
    EXPECT_THAT(*requested, ElementsAre(cidr("10.0.0.0/16"), cidr("10.7.0.0/16")));
}

TEST(RequestedPools, FailInCalicosWords)
{
    const std::vector<store::Pool> pools = {pool("six", "fd00::/64")};
    const auto text = [&](const std::string &entry) {
        return requested_pools(std::vector<std::string>{entry}, Family::kIpv4, pools)
            .error()
            .what();
    };

    EXPECT_EQ(text("nothing"), "error parsing pool \"nothing\": invalid CIDR address: nothing");
    EXPECT_EQ(text("fd00::/64"), "\"fd00::\" isn't a IPv4 address");
    EXPECT_EQ(text("six"), "\"fd00::\" isn't a IPv4 address");
}

// Which of two pools is eligible, over state, selector and request: the table of the originals.
struct Case {
    const char *name;
    bool first_disabled;
    const char *selector_of_first;
    std::vector<std::string> requested;
    std::vector<std::string> expected;  // names, or the beginning of the error
};

class EligiblePools : public ::testing::TestWithParam<std::tuple<Case, bool>> {};

TEST_P(EligiblePools, FollowRequestBeforeSelector)
{
    const auto &[c, v6] = GetParam();
    const std::vector<std::string> cidrs =
        v6 ? std::vector<std::string>{"fd00:1::/64", "fd00:2::/64"}
           : std::vector<std::string>{"10.1.0.0/16", "10.2.0.0/16"};
    std::vector<store::Pool> pools = {pool("pool1", cidrs[0]), pool("pool2", cidrs[1])};
    pools[0].disabled = c.first_disabled;
    pools[0].node_selector = c.selector_of_first;
    const Family family = v6 ? Family::kIpv6 : Family::kIpv4;
    const auto requested = requested_pools(c.requested, family, pools);
    ASSERT_TRUE(requested);
    const std::string host = "node-a";
    const kube::StringMap labels = {{"foo", "bar"}};

    const auto eligible =
        eligible_pools(usable_pools(pools), {family, *requested, &host, &labels, nullptr});

    if (eligible)
        EXPECT_EQ(names(*eligible), c.expected);
    else
        EXPECT_EQ(eligible.error().what().substr(0, c.expected[0].size()), c.expected[0]);
}

INSTANTIATE_TEST_SUITE_P(
    Pools, EligiblePools,
    ::testing::Combine(
        ::testing::Values(
            Case{"Both", false, "", {}, {"pool1", "pool2"}},
            Case{"BothFirstAsked", false, "", {"pool1"}, {"pool1"}},
            Case{"BothSecondAsked", false, "", {"pool2"}, {"pool2"}},
            Case{"Match", false, "foo == 'bar'", {}, {"pool1", "pool2"}},
            Case{"MatchFirstAsked", false, "foo == 'bar'", {"pool1"}, {"pool1"}},
            Case{"MatchSecondAsked", false, "foo == 'bar'", {"pool2"}, {"pool2"}},
            Case{"Mismatch", false, "foo != 'bar'", {}, {"pool2"}},
            Case{"MismatchFirstAsked", false, "foo != 'bar'", {"pool1"}, {"pool1"}},
            Case{"MismatchSecondAsked", false, "foo != 'bar'", {"pool2"}, {"pool2"}},
            Case{"Disabled", true, "", {}, {"pool2"}},
            Case{"DisabledFirstAsked", true, "", {"pool1"}, {"the given pool ("}},
            Case{"DisabledSecondAsked", true, "foo == 'bar'", {"pool2"}, {"pool2"}},
            Case{"BothAskedInOtherOrder", false, "", {"pool2", "pool1"}, {"pool2", "pool1"}},
            Case{"GoodAndDisabledAsked", true, "", {"pool2", "pool1"}, {"the given pool ("}},
            Case{"BadSelector", false, "foo ==", {}, {"selector \"foo ==\": expected"}}),
        ::testing::Bool()),
    [](const auto &which) {
        return std::string(std::get<0>(which.param).name) +
               (std::get<1>(which.param) ? "Ipv6" : "Ipv4");
    });

TEST(EligiblePoolsErrors, AreCalicos)
{
    std::vector<store::Pool> pools = {pool("p", "10.0.0.0/16")};
    const std::string host = "host1";
    const kube::StringMap labels;
    const std::vector<Cidr> six = {cidr("fd00::/64")};
    const std::vector<Cidr> absent = {cidr("192.169.1.0/24")};
    const auto text = [&](std::span<const Cidr> requested, Family family = Family::kIpv4) {
        return eligible_pools(usable_pools(pools), {family, requested, &host, &labels, nullptr})
            .error()
            .what();
    };

    EXPECT_EQ(text({}, Family::kIpv6), "cannot find a qualified ippool");
    EXPECT_EQ(text(absent), "the given pool (192.169.1.0/24) does not exist, or is not enabled");
    EXPECT_EQ(text(six), "provided IPv4 IPPools list contains one or more IPv6 IPPools");
    pools[0].node_selector = "has(rack)";
    EXPECT_EQ(text({}), "no configured Calico pools for node host1");
    pools[0].node_selector = "";
    pools[0].allowed_uses = {"Tunnel"};
    EXPECT_EQ(text({}),
              "cannot find a qualified ippool, no pools match the required use (Workload)");
}

TEST(EligiblePoolsOfANamespace, FollowItsLabels)
{
    std::vector<store::Pool> pools = {pool("shop", "10.1.0.0/16"), pool("any", "10.2.0.0/16"),
                                      pool("manual", "10.3.0.0/16")};
    pools[0].namespace_selector = "team in {'shop','ops'}";
    pools[2].manual = true;
    const std::string host = "node-a";
    const auto eligible = [&](const kube::StringMap *labels, std::span<const Cidr> asked = {}) {
        return names(
            *eligible_pools(usable_pools(pools), {Family::kIpv4, asked, &host, nullptr, labels}));
    };
    const kube::StringMap shop = {{"team", "shop"}};
    const kube::StringMap none;
    const std::vector<Cidr> asked = {cidr("10.3.0.0/16"), cidr("10.1.0.0/16")};

    EXPECT_THAT(eligible(&shop), ElementsAre("shop", "any"));
    EXPECT_THAT(eligible(&none), ElementsAre("any"));
    EXPECT_THAT(eligible(nullptr), ElementsAre("any"));
    EXPECT_THAT(eligible(&none, asked), ElementsAre("manual", "shop"));
}

TEST(NodeLabels, AreNotReadWhenNoPoolAsksForThem)
{
    Cluster cluster;  // has no node at all
    cluster.add_pool("p", "10.0.0.0/26", {.node_selector = "all()"});

    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "10.0.0.0/26");
}

TEST(NodeLabels, DecideAndAMissingNodeFails)
{
    Cluster cluster;
    cluster.add_pool("a", "10.0.0.0/26", {.node_selector = "rack == 'r1'"});
    cluster.add_pool("b", "10.0.1.0/26", {.node_selector = "rack == 'r2'"});
    cluster.add_node("node-b", {{"rack", "r2"}});

    EXPECT_EQ(only4(cluster.add4("node-b", "h")), "10.0.1.0/26");
    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "node/node-a does not exist");
}

TEST(NodeLabels, OnlyTheMatchingPoolServes)
{
    Cluster cluster;
    cluster.add_pool("a", "10.0.0.0/24", {.node_selector = "foo == 'bar'"});
    cluster.add_pool("b", "10.0.1.0/24", {.node_selector = "foo != 'bar'"});
    cluster.add_node("node-a", {{"foo", "bar"}});

    const auto answer = cluster.add("node-a", cluster.request("h", 300));

    ASSERT_TRUE(answer);
    EXPECT_EQ(shortage(answer->v4, Family::kIpv4),
              "Assigned 256 out of 300 requested IPv4 addresses; No IPs available in pools: "
              "[10.0.0.0/24]");
}

}  // namespace
}  // namespace tortie::ipam
