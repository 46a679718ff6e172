// SPDX-License-Identifier: Apache-2.0
//
// What happens when others are faster: another host's step is put between two requests of ours,
// or many hosts run at once.
#include <atomic>
#include <random>
#include <thread>

#include "ipam/affinity.h"
#include "ipam/block.h"
#include "ipam/timestamp.h"
#include "ipam/upgrade_host.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using ::testing::IsEmpty;

class Race : public ::testing::TestWithParam<Cluster::Like> {
protected:
    Race() : cluster(GetParam()) { cluster.add_pool("p", "10.0.0.0/24"); }

    // Once, before the first request that contains the text.
    void before(const std::string &text, const std::function<void()> &step)
    {
        cluster.store.before_request = [this, text, step](std::size_t, const std::string &what) {
            if (!done_ && what.find(text) != std::string::npos) {
                done_ = true;
                step();
            }
        };
    }

    Cluster cluster;

private:
    bool done_ = false;
};

INSTANTIATE_TEST_SUITE_P(Stores, Race,
                         ::testing::Values(Cluster::Like::kKubernetes, Cluster::Like::kEtcd),
                         like_name);

TEST_P(Race, ForTheSameAddressIsLostByOneAndBothAreServed)
{
    cluster.add_block("node-a", "10.0.0.0/26");
    before("update block/10.0.0.0/26", [&] { ASSERT_TRUE(cluster.add4("node-a", "h2")); });

    EXPECT_EQ(only4(cluster.add4("node-a", "h1")), "10.0.0.1/26");

    EXPECT_EQ(cluster.handle("h1")->blocks.at("10.0.0.0/26"), 1);
    EXPECT_SOUND(cluster);
}

TEST_P(Race, ForABlockIsLostAndTheLoserGoesOn)
{
    std::string taken;
    before("create block/", [&] {
        const Cidr start = start_block(cidr("10.0.0.0/24"), 26, "node-a");
        cluster.add_block("node-b", start.to_string());
        taken = start.to_string();
    });

    const auto answer = cluster.add4("node-a", "h");

    ASSERT_TRUE(answer && answer->complete());
    EXPECT_NE(answer->v4.addresses.front().block.to_string(), taken);
    EXPECT_FALSE(cluster.affinity("node-a", taken));
    EXPECT_SOUND(cluster);
}

TEST_P(Race, ForAHandleKeepsWhatTheOtherCounts)
{
    cluster.add_block("node-a", "10.0.0.0/26");
    before(GetParam() == Cluster::Like::kEtcd ? "txn" : "create handle/h",
           [&] { ASSERT_TRUE(cluster.add4("node-a", "h")); });

    ASSERT_TRUE(cluster.add4("node-a", "h"));

    EXPECT_EQ(cluster.handle("h")->blocks.at("10.0.0.0/26"), 2);
    EXPECT_SOUND(cluster);
}

TEST_P(Race, WithAReleaserOfOurPendingBlockEndsConfirmedOrElsewhere)
{
    cluster.add_block("node-a", "10.0.0.0/26", store::AffinityState::kPending);
    before("update block/10.0.0.0/26", [&] {
        (void)release_affinity(cluster.store, "node-a", cidr("10.0.0.0/26"), {}, soon());
    });

    const auto answer = cluster.add4("node-a", "h");

    ASSERT_TRUE(answer && answer->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Race, WithAReleaserThatMarkedTheAffinityWhileWeClaim)
{
    before("update affinity/", [&] {
        for (store::Affinity affinity : cluster.store.peek_all<store::Affinity>()) {
            affinity.state = store::AffinityState::kPendingDeletion;
            cluster.store.put(key_of(affinity), affinity);
            cluster.store.remove(store::BlockKey{affinity.cidr});
        }
    });

    const auto answer = cluster.add4("node-a", "h");

    ASSERT_TRUE(answer && answer->complete());
    EXPECT_SOUND(cluster);
}

TEST_P(Race, LeavesABlockWhoseAddressWasTakenWhileItWasReleased)
{
    cluster.add_block("node-a", "10.0.0.0/26");
    before("delete block/10.0.0.0/26", [&] { ASSERT_TRUE(cluster.add4("node-a", "h")); });

    const auto released =
        release_affinity(cluster.store, "node-a", cidr("10.0.0.0/26"), {}, soon());

    EXPECT_FALSE(released);
    EXPECT_EQ(held_by(*cluster.block("10.0.0.0/26"), "h").size(), 1U);
}

TEST_P(Race, WithAThiefOfTheBlockClearsTheStaleAffinityAway)
{
    cluster.add_block("node-a", "10.0.0.0/26");
    before("get block/10.0.0.0/26", [&] { cluster.add_block("node-b", "10.0.0.0/26"); });

    const auto answer = cluster.add4("node-a", "h");

    ASSERT_TRUE(answer && answer->complete());
    EXPECT_NE(answer->v4.addresses.front().block, cidr("10.0.0.0/26"));
    EXPECT_FALSE(cluster.affinity("node-a", "10.0.0.0/26"));
    EXPECT_SOUND(cluster);
}

TEST_P(Race, ReleasesWhatItWasNotToldAboutAllTheSame)
{
    ASSERT_TRUE(cluster.add4("node-a", "h"));
    before("update block/", [&] { ASSERT_TRUE(cluster.add4("node-a", "h2")); });

    ASSERT_TRUE(cluster.del("node-a", "h"));

    EXPECT_SOUND(cluster);
    EXPECT_FALSE(cluster.handle("h"));
}

TEST_P(Race, OfFourRequestsOfOneHostMeetsAtOneBlock)
{
    std::vector<std::thread> pods;
    std::atomic<int> served = 0;
    for (int i = 0; i < 4; ++i)
        pods.emplace_back([&, i] {
            const auto answer = cluster.add4("node-a", "h" + std::to_string(i));
            served += answer && answer->complete() ? 1 : 0;
        });
    for (std::thread &pod : pods)
        pod.join();

    EXPECT_EQ(served, 4);
    EXPECT_EQ(cluster.store.peek_all<store::Block>().size(), 1U);
    EXPECT_SOUND(cluster);
}

TEST_P(Race, OfThirtyTwoHostsForSixteenBlocksServesAll)
{
    Cluster crowded(GetParam());
    crowded.add_pool("p", "10.0.0.0/24", {.block_size = 28});
    std::vector<std::thread> hosts;
    std::atomic<int> served = 0;
    for (int i = 0; i < 32; ++i)
        hosts.emplace_back([&, i] {
            const std::string host = "node-" + std::to_string(i);
            const auto answer = crowded.add4(host, "h." + host);
            served += answer && answer->complete() ? 1 : 0;
        });
    for (std::thread &host : hosts)
        host.join();

    EXPECT_EQ(served, 32);
    EXPECT_EQ(crowded.store.peek_all<store::Affinity>().size(), 16U);
    for (const store::Affinity &affinity : crowded.store.peek_all<store::Affinity>())
        EXPECT_EQ(affinity.state, store::AffinityState::kConfirmed);
    EXPECT_SOUND(crowded);
}

TEST_P(Race, OfRandomCallsOfFourHostsKeepsTheBooks)
{
    Cluster small(GetParam());
    small.add_pool("four", "10.0.0.0/27", {.block_size = 29});
    small.add_pool("six", "fd00::/125", {.block_size = 127});
    std::mt19937 random(7);
    std::vector<std::pair<std::string, std::string>> pods;
    const auto one_of = [&](std::size_t n) { return random() % n; };
    for (int i = 0; i < 1500; ++i) {
        const std::string host = "node-" + std::to_string(one_of(4));
        if (one_of(100) == 0) {
            for (store::Block block : small.store.peek_all<store::Block>()) {
                block.claim_time = rfc3339(unix_now_s() - 100);
                small.store.put(store::BlockKey{block.cidr}, block);
            }
        }
        if (pods.empty() || one_of(2) == 0) {
            const std::string handle = "h" + std::to_string(i);
            const auto answer =
                small.add(host, small.request(handle, static_cast<unsigned>(one_of(3)),
                                              static_cast<unsigned>(one_of(2))));
            if (answer && answer->complete())
                pods.emplace_back(host, handle);
        } else {
            const std::size_t at = one_of(pods.size());
            ASSERT_TRUE(small.del(pods[at].first, pods[at].second));
            pods.erase(pods.begin() + static_cast<std::ptrdiff_t>(at));
        }
        ASSERT_THAT(words(small.findings()), IsEmpty()) << "after call " << i;
    }
    for (const auto &[host, handle] : pods)
        ASSERT_TRUE(small.del(host, handle));
    EXPECT_THAT(small.store.peek_all<store::Handle>(), IsEmpty());
    for (const store::Block &block : small.store.peek_all<store::Block>())
        EXPECT_TRUE(is_empty(block));
}

TEST_P(Race, OfManyThreadsThatAddAndDeleteKeepsTheBooks)
{
    std::vector<std::thread> hosts;
    std::atomic<int> failed = 0;
    for (int h = 0; h < 4; ++h)
        hosts.emplace_back([&, h] {
            const std::string host = "node-" + std::to_string(h % 2);
            for (int i = 0; i < 20; ++i) {
                const std::string handle = host + "." + std::to_string(h) + std::to_string(i);
                const auto answer = cluster.add4(host, handle);
                const bool gone = i % 3 == 0 || cluster.del(host, handle);
                failed += answer && answer->complete() && gone ? 0 : 1;
            }
        });
    for (std::thread &host : hosts)
        host.join();

    EXPECT_EQ(failed, 0);
    EXPECT_SOUND(cluster);
}

TEST(OldAffinities, AreLabelledAndUsedByTheirHostOnly)
{
    Cluster cluster;
    cluster.add_pool("p", "10.0.0.0/24");
    for (const char *host : {"node-a", "node-b"}) {
        const std::string text = host == std::string("node-a") ? "10.0.0.0/26" : "10.0.0.64/26";
        cluster.add_block(host, text);
        store::Affinity affinity = *cluster.affinity(host, text);
        affinity.unknown.metadata = "unlabelled";
        cluster.store.put(key_of(affinity), affinity);
    }

    EXPECT_EQ(only4(cluster.add4("node-a", "h")), "10.0.0.0/26");

    EXPECT_THAT(cluster.store.log(),
                ::testing::Contains("update affinity/host/node-a/10.0.0.0/26"));
    EXPECT_THAT(cluster.store.log(),
                ::testing::Not(::testing::Contains("update affinity/host/node-b/10.0.0.64/26")));
}

TEST(OldAffinities, AreLabelledOnRequestWithRetries)
{
    Cluster cluster;
    EXPECT_TRUE(upgrade_host(cluster.store, "node-a", soon()));
    cluster.store.fail_request(2, test::MemoryStore::Fault::kRefused);
    EXPECT_TRUE(upgrade_host(cluster.store, "node-a", soon()));
    cluster.store.forget_counts();
    cluster.store.fail_request(1, test::MemoryStore::Fault::kRefused);
    EXPECT_FALSE(
        upgrade_host(cluster.store, "node-a", Deadline::in(std::chrono::milliseconds(50))));
}

}  // namespace
}  // namespace tortie::ipam
