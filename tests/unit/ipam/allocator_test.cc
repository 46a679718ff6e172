// SPDX-License-Identifier: Apache-2.0
#include "ipam/block.h"
#include "ipam/timestamp.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Allocator : public ::testing::TestWithParam<Cluster::Like> {
protected:
    Allocator() : cluster(GetParam()) {}

    Cluster cluster;
};

INSTANTIATE_TEST_SUITE_P(Stores, Allocator,
                         ::testing::Values(Cluster::Like::kKubernetes, Cluster::Like::kEtcd),
                         like_name);

TEST_P(Allocator, TakesAnAddressOfANewBlockAndKeepsBooks)
{
    cluster.add_pool("p", "10.0.0.0/16");

    const auto answer = cluster.add4("node-a", "net.c1");

    ASSERT_TRUE(answer) << answer.error().what();
    ASSERT_EQ(answer->v4.addresses.size(), 1U);
    const Address &address = answer->v4.addresses.front();
    EXPECT_EQ(address.prefix, 26U);
    const auto block = cluster.block(address.block.to_string());
    EXPECT_EQ(block->attributes.front().handle_id, "net.c1");
    EXPECT_EQ(block->attributes.front().secondary->at("pod"), "net.c1");
    EXPECT_EQ(cluster.handle("net.c1")->blocks.at(address.block.to_string()), 1);
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, AnswersBothFamilies)
{
    cluster.add_pool("four", "10.0.0.0/26");
    cluster.add_pool("six", "fd00:80::/122");

    const auto answer = cluster.add("node-a", cluster.request("net.c1", 1, 1));

    ASSERT_TRUE(answer);
    EXPECT_THAT(addresses(answer->v4), ElementsAre("10.0.0.0/26"));
    EXPECT_THAT(addresses(answer->v6), ElementsAre("fd00:80::/122"));
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, GivesNothingWhenNothingIsWanted)
{
    const auto answer = cluster.add("node-a", cluster.request("net.c1", 0, 0));

    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, LeavesNothingWhenOneFamilyHasNoPool)
{
    cluster.add_pool("four", "10.0.0.0/26");

    const auto answer = cluster.add("node-a", cluster.request("net.c1", 1, 1));

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().what(), "cannot find a qualified ippool");
    EXPECT_FALSE(cluster.handle("net.c1"));
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, LeavesNothingWhenOneFamilyIsFull)
{
    cluster.add_pool("four", "10.0.0.0/26");
    cluster.add_pool("six", "fd00:80::/128", {.block_size = 128});
    cluster.add_block("node-a", "10.0.0.0/26");
    ASSERT_TRUE(cluster.add("node-b", cluster.request("net.c0", 0, 1))->complete());

    const auto answer = cluster.add("node-a", cluster.request("net.c1", 1, 1));

    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->v4.complete());
    EXPECT_TRUE(answer->v4.addresses.empty());
    EXPECT_EQ(shortage(answer->v6, Family::kIpv6),
              "Assigned 0 out of 1 requested IPv6 addresses; No IPs available in pools: "
              "[fd00:80::/128]");
    EXPECT_FALSE(cluster.handle("net.c1"));
    EXPECT_TRUE(is_empty(*cluster.block("10.0.0.0/26")));
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, ReusesReleasedAddressesLast)
{
    cluster.add_pool("p", "10.0.0.0/30", {.block_size = 30});
    std::vector<std::string> seen;
    for (int i = 0; i < 5; ++i) {
        seen.push_back(only4(cluster.add4("node-a", "h")));
        ASSERT_TRUE(cluster.del("node-a", "h"));
    }
    EXPECT_THAT(seen, ElementsAre("10.0.0.0/30", "10.0.0.1/30", "10.0.0.2/30", "10.0.0.3/30",
                                  "10.0.0.0/30"));
}

TEST_P(Allocator, TriesItsBlocksInTheOrderOfTheListThenMakesOne)
{
    cluster.add_pool("p", "10.0.0.0/28", {.block_size = 30});
    cluster.add_block("node-a", "10.0.0.4/30");
    cluster.add_block("node-a", "10.0.0.0/30");
    const auto answer = cluster.add("node-a", cluster.request("h", 9));

    ASSERT_TRUE(answer && answer->complete());
    const auto got = addresses(answer->v4);
    EXPECT_EQ(got[0], "10.0.0.0/30");
    EXPECT_EQ(got[4], "10.0.0.4/30");
    EXPECT_EQ(cluster.store.peek_all<store::Affinity>().size(), 3U);
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, TakesFromTheBlockThatTheHintSaysHasRoom)
{
    cluster.add_pool("p", "10.0.0.0/28", {.block_size = 30});
    cluster.add_block("node-a", "10.0.0.0/30");
    cluster.add_block("node-a", "10.0.0.8/30");
    cluster.use_hint = true;
    cluster.hint.roomy = {cidr("10.0.0.8/30"), cidr("10.9.9.0/30")};

    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "10.0.0.8/30");
    EXPECT_THAT(cluster.hint.roomy.front(), cidr("10.0.0.8/30"));
}

TEST_P(Allocator, ServesTwoHostsFromDifferentBlocks)
{
    cluster.add_pool("p", "10.0.0.0/24");
    const auto a = cluster.add4("node-a", "h1");
    const auto b = cluster.add4("node-b", "h2");

    ASSERT_TRUE(a && b);
    EXPECT_NE(a->v4.addresses.front().block, b->v4.addresses.front().block);
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, FillsALargePoolWithLargeAndSmallBlocks)
{
    cluster.configure({false, true, 300, true, 0, {}});
    cluster.add_pool("a", "10.0.0.0/20", {.block_size = 20});
    cluster.add_pool("b", "fd00::/120", {.block_size = 128});

    const auto four = cluster.add("node-a", cluster.request("h1", 4096));
    const auto six = cluster.add("node-a", cluster.request("h2", 0, 256));

    ASSERT_TRUE(four && six);
    EXPECT_EQ(four->v4.addresses.size(), 4096U);
    EXPECT_EQ(six->v6.addresses.size(), 256U);
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, SaysWhichPoolsAreFull)
{
    cluster.add_pool("a", "10.0.0.0/30", {.block_size = 30});
    cluster.add_pool("b", "10.0.1.0/30", {.block_size = 30});

    const auto answer = cluster.add("node-a", cluster.request("h", 9));

    ASSERT_TRUE(answer);
    EXPECT_EQ(shortage(answer->v4, Family::kIpv4),
              "Assigned 8 out of 9 requested IPv4 addresses; No IPs available in pools: "
              "[10.0.0.0/30 10.0.1.0/30]");
    EXPECT_FALSE(cluster.handle("h"));
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, UsesListedPoolsInTheOrderOfTheList)
{
    cluster.add_pool("a", "10.0.0.0/30", {.block_size = 30});
    cluster.add_pool("b", "10.0.1.0/30", {.block_size = 30});
    Request request = cluster.request("h", 5);
    request.pools4 = {"10.0.1.0/30", "a"};

    const auto answer = cluster.add("node-a", request);

    ASSERT_TRUE(answer && answer->complete());
    EXPECT_THAT(addresses(answer->v4),
                ::testing::UnorderedElementsAre("10.0.1.0/30", "10.0.1.1/30", "10.0.1.2/30",
                                                "10.0.1.3/30", "10.0.0.0/30"));
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, TakesNothingFromPoolsThatWereNotListed)
{
    cluster.add_pool("a", "10.0.0.0/30", {.block_size = 30});
    cluster.add_pool("b", "10.0.1.0/30", {.block_size = 30});
    cluster.add_block("node-a", "10.0.0.0/30");
    Request request = cluster.request("h", 5);
    request.pools4 = {"b"};

    EXPECT_EQ(cluster.add("node-a", request)->v4.assigned, 4U);
    EXPECT_TRUE(cluster.affinity("node-a", "10.0.0.0/30"));
}

TEST_P(Allocator, StopsAtTheLimitOfBlocks)
{
    cluster.configure({false, true, 2, true, 0, {}});
    cluster.add_pool("p", "10.0.0.0/28", {.block_size = 30});
    ASSERT_TRUE(cluster.add("node-a", cluster.request("h1", 8))->complete());
    ASSERT_TRUE(cluster.add4("node-b", "h0")->complete());

    const auto ninth = cluster.add4("node-a", "h2");

    EXPECT_EQ(only4(ninth), "cannot allocate new block due to per host block limit");
    EXPECT_FALSE(cluster.handle("h2"));
    cluster.configure({false, true, 3, true, 0, {}});
    EXPECT_TRUE(cluster.add4("node-a", "h2")->complete());
}

TEST_P(Allocator, TakesTheSmallerOfTwoLimitsAndTwentyWithoutAny)
{
    cluster.configure({false, true, 5, true, 0, {}});
    cluster.add_pool("p", "10.0.0.0/24", {.block_size = 32});
    Request request = cluster.request("h", 2);
    request.max_blocks = 1;
    EXPECT_FALSE(cluster.add("node-a", request));
    request.num4 = 1;
    EXPECT_TRUE(cluster.add("node-a", request)->complete());
    EXPECT_FALSE(cluster.add("node-b", cluster.request("h2", 6)));
    EXPECT_TRUE(cluster.add("node-b", cluster.request("h2", 5))->complete());
    cluster.configure({});
    EXPECT_FALSE(cluster.add("node-c", cluster.request("h3", 21)));
    EXPECT_TRUE(cluster.add("node-c", cluster.request("h3", 20))->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, MakesNoBlockWhereNoneMayBeMade)
{
    cluster.configure({true, false, 0, true, 0, {}});
    cluster.add_pool("p", "10.0.0.0/28", {.block_size = 30});

    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "failed to find or claim a block");
}

TEST_P(Allocator, BorrowsFromOthersUnlessAffinityIsStrict)
{
    cluster.add_pool("p", "10.0.0.0/26");
    ASSERT_TRUE(cluster.add4("node-a", "h1"));

    EXPECT_EQ(only4(cluster.add4("node-b", "h2")), "10.0.0.1/26");
    ASSERT_TRUE(cluster.del("node-b", "h2"));
    cluster.configure({true, true, 0, true, 0, {}});
    EXPECT_EQ(only4(cluster.add4("node-b", "h3")),
              "Assigned 0 out of 1 requested IPv4 addresses; No more free affine blocks and "
              "strict affinity enabled");
    EXPECT_TRUE(cluster.add4("node-a", "h4")->complete());
    cluster.configure({});
    EXPECT_TRUE(cluster.add4("node-b", "h5")->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, FinishesItsOwnBlockBeforeItBorrows)
{
    cluster.add_pool("p", "10.0.0.0/25");
    ASSERT_TRUE(cluster.add("node-a", cluster.request("h1", 1))->complete());
    ASSERT_TRUE(cluster.add("node-b", cluster.request("h2", 1))->complete());

    const auto more = cluster.add("node-a", cluster.request("h3", 64));

    ASSERT_TRUE(more && more->complete());
    const Cidr own = more->v4.addresses.front().block;
    EXPECT_EQ(std::count_if(more->v4.addresses.begin(), more->v4.addresses.end(),
                            [&](const Address &each) { return each.block == own; }),
              63);
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, BorrowsFromBlocksThatNobodyOwns)
{
    cluster.add_pool("p", "10.0.0.0/30", {.block_size = 30});
    store::Block block = fresh_block(cidr("10.0.0.0/30"), "node-z");
    block.affinity.clear();
    take(block, 1, {"other", {}}, {});
    cluster.store.put(store::BlockKey{block.cidr}, block);

    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "10.0.0.1/30");
}

TEST_P(Allocator, TakesAnIdleBlockOfAnotherHostAfterAMinute)
{
    cluster.configure({true, true, 0, true, 0, {}});
    cluster.add_pool("p", "10.0.0.0/26");
    ASSERT_TRUE(cluster.add4("node-a", "h1"));
    EXPECT_EQ(cluster.add4("node-b", "h2")->v4.assigned, 0U);  // in use
    ASSERT_TRUE(cluster.del("node-a", "h1"));
    EXPECT_EQ(cluster.add4("node-b", "h2")->v4.assigned, 0U);  // too young

    store::Block block = *cluster.block("10.0.0.0/26");
    block.claim_time = rfc3339(unix_now_s() - 61);
    cluster.store.put(store::BlockKey{block.cidr}, block);

    EXPECT_TRUE(cluster.add4("node-b", "h2")->complete());
    EXPECT_FALSE(cluster.affinity("node-a", "10.0.0.0/26"));
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, TakesAnIdleBlockThatNobodyOwns)
{
    cluster.configure({true, true, 0, true, 0, {}});
    cluster.add_pool("p", "10.0.0.0/26");
    store::Block block = fresh_block(cidr("10.0.0.0/26"), "node-z");
    block.affinity.clear();
    block.claim_time.clear();
    cluster.store.put(store::BlockKey{block.cidr}, block);

    EXPECT_TRUE(cluster.add4("node-b", "h")->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, LeavesIdleBlocksWithCoolingAddressesAlone)
{
    cluster.configure({true, true, 0, true, 300, {}});
    cluster.add_pool("p", "10.0.0.0/26");
    ASSERT_TRUE(cluster.add4("node-a", "h1"));
    ASSERT_TRUE(cluster.del("node-a", "h1"));
    store::Block block = *cluster.block("10.0.0.0/26");
    block.claim_time.clear();
    cluster.store.put(store::BlockKey{block.cidr}, block);

    EXPECT_EQ(cluster.add4("node-b", "h2")->v4.assigned, 0U);
    EXPECT_TRUE(cluster.affinity("node-a", "10.0.0.0/26"));
}

TEST_P(Allocator, DoesNotHandOutWhatIsCooling)
{
    cluster.configure({false, true, 0, true, 300, {}});
    cluster.add_pool("p", "10.0.0.0/30", {.block_size = 30});
    ASSERT_TRUE(cluster.add("node-a", cluster.request("h1", 4))->complete());
    ASSERT_TRUE(cluster.del("node-a", "h1"));
    EXPECT_FALSE(cluster.handle("h1"));
    EXPECT_EQ(cluster.add4("node-a", "h2")->v4.assigned, 0U);

    store::Block block = *cluster.block("10.0.0.0/30");
    for (auto &record : block.attributes)
        record.released_at = rfc3339(unix_now_s() - 301);
    cluster.store.put(store::BlockKey{block.cidr}, block);

    EXPECT_TRUE(cluster.add4("node-a", "h2")->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, CreatesTheDefaultConfigurationWhenItIsFirstWanted)
{
    cluster.add_pool("p", "10.0.0.0/26");
    ASSERT_TRUE(cluster.add4("node-a", "h"));

    const auto config = cluster.store.peek<store::IpamConfig>(store::IpamConfigKey{});
    ASSERT_TRUE(config);
    EXPECT_TRUE(config->auto_allocate_blocks && config->persist_vm_addresses);
    EXPECT_FALSE(config->strict_affinity);
}

TEST_P(Allocator, FailsFastInAFullPoolOfSingleAddresses)
{
    cluster.add_pool("p", "10.0.0.0/22", {.block_size = 32});
    IpAddr at = ip("10.0.0.0");
    for (int i = 0; i < 1024; ++i, at = at.next()) {
        store::Block block = cluster.add_block("node-a", at.to_string() + "/32");
        take(block, 1, {"h", {}}, {});
        cluster.store.put(store::BlockKey{block.cidr}, block);
    }
    cluster.store.forget_counts();

    const auto answer = cluster.add4("node-b", "h2");

    EXPECT_EQ(answer->v4.assigned, 0U);
    EXPECT_LT(cluster.store.requests(), 15U);
}

TEST_P(Allocator, KeepsOtherRequestsOfABatchWhenOneFails)
{
    cluster.add_pool("p", "10.0.0.0/30", {.block_size = 30});
    std::vector<Request> requests;
    for (int i = 0; i < 6; ++i)
        requests.push_back(cluster.request("h" + std::to_string(i)));
    requests[1].num4 = 3;
    requests[2].pools4 = {"absent"};

    const auto answers = cluster.add_all("node-a", requests);

    EXPECT_TRUE(answers[0] && answers[0]->complete());
    EXPECT_TRUE(answers[1] && answers[1]->complete());
    EXPECT_EQ(answers[2].error().what(),
              "error parsing pool \"absent\": invalid CIDR address: absent");
    for (const std::size_t i : {3U, 4U, 5U}) {
        EXPECT_TRUE(answers[i] && !answers[i]->complete());
        EXPECT_FALSE(cluster.handle("h" + std::to_string(i)));
    }
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, GivesWhatAFailedRequestWouldHaveTakenToTheNext)
{
    cluster.add_pool("p", "10.0.0.0/30", {.block_size = 30});
    const auto answers =
        cluster.add_all("node-a", {cluster.request("h1", 9), cluster.request("h2", 4)});

    EXPECT_EQ(answers[0]->v4.assigned, 4U);
    EXPECT_TRUE(answers[1]->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, ServesTwoRequestsOfOneHandle)
{
    cluster.add_pool("p", "10.0.0.0/26");
    const auto answers = cluster.add_all("node-a", {cluster.request("h"), cluster.request("h")});

    EXPECT_NE(only4(answers[0]), only4(answers[1]));
    EXPECT_EQ(cluster.handle("h")->blocks.at("10.0.0.0/26"), 2);
    EXPECT_SOUND(cluster);
}

TEST_P(Allocator, AddsToAHandleThatExists)
{
    cluster.add_pool("p", "10.0.0.0/26");
    ASSERT_TRUE(cluster.add4("node-a", "h"));
    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "10.0.0.1/26");

    EXPECT_EQ(cluster.handle("h")->blocks.at("10.0.0.0/26"), 2);
    ASSERT_TRUE(cluster.del("node-a", "h"));
    EXPECT_SOUND(cluster);
    EXPECT_TRUE(is_empty(*cluster.block("10.0.0.0/26")));
}

TEST_P(Allocator, KeepsWhatItDoesNotKnowOfADocument)
{
    cluster.add_pool("p", "10.0.0.0/26");
    store::Block block = cluster.add_block("node-a", "10.0.0.0/26");
    block.unknown.spec = R"({"later":1})";
    cluster.store.put(store::BlockKey{block.cidr}, block);

    ASSERT_TRUE(cluster.add4("node-a", "h"));

    EXPECT_EQ(cluster.block("10.0.0.0/26")->unknown.spec, R"({"later":1})");
}

TEST_P(Allocator, GoesOnFromABlockOfAnotherShapeThanItsName)
{
    cluster.add_pool("p", "10.0.0.0/25");
    store::Block block = cluster.add_block("node-a", "10.0.0.0/26");
    block.allocations.resize(3);
    cluster.store.put(store::BlockKey{block.cidr}, block);

    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "10.0.0.64/26");
}

}  // namespace
}  // namespace tortie::ipam
