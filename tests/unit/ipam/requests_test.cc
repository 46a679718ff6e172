// SPDX-License-Identifier: Apache-2.0
//
// What an allocation and a release cost. To the counts here the plugin adds: ClusterInformation,
// pod and namespace in the first round trip of ADD, ClusterInformation and pod in the first of
// DEL, and one PATCH of the pod, which ADD waits for and DEL sends beside another request.
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

class Requests : public ::testing::Test {
protected:
    Requests()
    {
        cluster.add_pool("four", "10.0.0.0/16");
        cluster.add_pool("six", "fd00:80::/64");
        cluster.add_block("node-a", "10.0.0.0/26");
        cluster.add_block("node-a", "fd00:80::/122");
    }

    Cluster cluster;
};

TEST_F(Requests, AddOfOneAddressTakesSixInThreeRoundTrips)
{
    ASSERT_TRUE(cluster.add4("node-a", "net.c1"));

    EXPECT_EQ(cluster.store.requests(), 6U);
    EXPECT_EQ(cluster.store.round_trips(), 3U);
}

TEST_F(Requests, AddOfBothFamiliesTakesEightInThreeRoundTrips)
{
    ASSERT_TRUE(cluster.add("node-a", cluster.request("net.c1", 1, 1)));

    EXPECT_EQ(cluster.store.requests(), 8U);
    EXPECT_EQ(cluster.store.round_trips(), 3U);
    EXPECT_SOUND(cluster);
}

TEST_F(Requests, AddWithAHintReadsTheBlockAheadAndTakesNoMore)
{
    cluster.use_hint = true;
    ASSERT_TRUE(cluster.add4("node-a", "net.c1"));
    cluster.store.forget_counts();

    ASSERT_TRUE(cluster.add4("node-a", "net.c2"));

    EXPECT_EQ(cluster.store.requests(), 6U);
    EXPECT_EQ(cluster.store.round_trips(), 3U);
}

TEST_F(Requests, AddWithTwentyFullBlocksReadsThemAtOnce)
{
    for (int i = 1; i < 20; ++i) {
        const std::string text = "10.0." + std::to_string(i) + ".0/26";
        store::Block block = cluster.add_block("node-a", text);
        if (i == 19)
            continue;
        block.attributes.push_back({"net.old", std::nullopt, std::nullopt, "", ""});
        block.allocations.assign(64, 0);
        block.unallocated.clear();
        cluster.store.put(store::BlockKey{cidr(text)}, block);
    }
    store::Block first = *cluster.block("10.0.0.0/26");
    first.attributes.push_back({"net.old", std::nullopt, std::nullopt, "", ""});
    first.allocations.assign(64, 0);
    first.unallocated.clear();
    cluster.store.put(store::BlockKey{cidr("10.0.0.0/26")}, first);

    EXPECT_EQ(only4(cluster.add4("node-a", "net.c1")), "10.0.19.0/26");
    EXPECT_EQ(cluster.store.round_trips(), 5U);
}

TEST_F(Requests, ThirtyAddsTogetherWriteTheBlockOnce)
{
    std::vector<Request> requests;
    for (int i = 0; i < 30; ++i)
        requests.push_back(cluster.request("net.c" + std::to_string(i)));

    const auto answers = cluster.add_all("node-a", requests);

    for (const auto &answer : answers)
        EXPECT_TRUE(answer && answer->complete());
    EXPECT_EQ(cluster.store.round_trips(), 3U);
    EXPECT_EQ(cluster.store.writes(), 31U);  // thirty handles, one block
    EXPECT_SOUND(cluster);
}

TEST_F(Requests, DelWithWhatTheHintKnowsTakesFourInFourRoundTrips)
{
    cluster.use_hint = true;
    ASSERT_TRUE(cluster.add4("node-a", "net.c1"));
    cluster.store.forget_counts();

    const ReleaseNames names{"net.c1", "shop.c1", false};
    auto found = cluster.store.read(release_queries(names, 0), soon());
    auto view = release_view_of(found, 0);
    ASSERT_TRUE(view);
    view->everywhere = known_everywhere(cluster.hint, cluster.hint.pools_read_unix_s);
    ASSERT_TRUE(release_handles(cluster.store, "node-a", names, *std::move(view), soon()));

    EXPECT_EQ(cluster.store.requests(), 4U);
    EXPECT_EQ(cluster.store.round_trips(), 4U);
    EXPECT_SOUND(cluster);
}

TEST_F(Requests, DelOfBothFamiliesReadsAndWritesTheirBlocksTogether)
{
    ASSERT_TRUE(cluster.add("node-a", cluster.request("net.c1", 1, 1)));
    cluster.store.forget_counts();

    ASSERT_TRUE(cluster.del("node-a", "net.c1"));

    // handle, configuration; two blocks; two blocks; pools, because both became empty, and handle
    EXPECT_EQ(cluster.store.requests(), 8U);
    EXPECT_EQ(cluster.store.round_trips(), 4U);
    EXPECT_SOUND(cluster);
}

TEST(RequestsOfEtcd, WriteHandleAndBlockInOneTransaction)
{
    Cluster cluster(Cluster::Like::kEtcd);
    cluster.add_pool("four", "10.0.0.0/16");
    cluster.add_block("node-a", "10.0.0.0/26");

    ASSERT_TRUE(cluster.add4("node-a", "net.c1"));
    EXPECT_EQ(cluster.store.round_trips(), 3U);  // view; block; both
    EXPECT_EQ(cluster.store.requests(), 5U);

    cluster.store.forget_counts();
    ASSERT_TRUE(cluster.del("node-a", "net.c1"));
    EXPECT_EQ(cluster.store.log().back(), "list pool/");
    EXPECT_EQ(cluster.store.log()[3], "txn update block/10.0.0.0/26 delete handle/net.c1");
    EXPECT_SOUND(cluster);
}

TEST(RequestsOfEtcd, ClaimABlockInOneTransaction)
{
    Cluster cluster(Cluster::Like::kEtcd);
    cluster.add_pool("four", "10.0.0.0/26");

    ASSERT_TRUE(cluster.add4("node-a", "net.c1"));

    EXPECT_THAT(cluster.store.log(),
                ::testing::Contains(
                    "txn create affinity/host/node-a/10.0.0.0/26 create block/10.0.0.0/26"));
    EXPECT_SOUND(cluster);
}

}  // namespace
}  // namespace tortie::ipam
