// SPDX-License-Identifier: Apache-2.0
//
// The crash matrix: a process is killed after every request it makes, or an answer is lost, or
// somebody is faster. The runtime then calls DEL and ADD again; afterwards nothing is leaked and
// no address is given twice. Source: spec calico-ipam-datastore.md 8.6.
#include <memory>

#include "ipam/block.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using Fault = test::MemoryStore::Fault;

// Where the first ADD starts from: each situation takes other steps.
enum class Scene { kBlockHasRoom, kFirstBlock, kTwoBlocks, kReclaim, kBorrow, kUnconfirmed };

using Param = std::tuple<Cluster::Like, Scene, Fault>;

// A killed process retries in vain until its deadline; everything else is over much earlier.
constexpr std::chrono::milliseconds kPatience{300};

class CrashMatrix : public ::testing::TestWithParam<Param> {
protected:
    static std::unique_ptr<Cluster> make()
    {
        const auto [like, scene, fault] = GetParam();
        auto made = std::make_unique<Cluster>(like);
        Cluster &cluster = *made;
        cluster.add_pool("four", "10.0.0.0/27", {.block_size = 28});
        cluster.add_pool("six", "fd00::/122");
        cluster.configure({scene == Scene::kReclaim, true, 0, true, 0, {}});
        switch (scene) {
        case Scene::kFirstBlock:
            break;
        case Scene::kBlockHasRoom:
            cluster.add_block("node-a", "10.0.0.0/28");
            cluster.add_block("node-a", "fd00::/122");
            break;
        case Scene::kTwoBlocks:
            fill(cluster, "node-a", "10.0.0.0/28", 15);
            break;
        case Scene::kReclaim:
            age(cluster, "node-b", "10.0.0.0/28");
            age(cluster, "node-b", "10.0.0.16/28");
            break;
        case Scene::kBorrow:
            fill(cluster, "node-b", "10.0.0.0/28", 3);
            fill(cluster, "node-b", "10.0.0.16/28", 16);
            break;
        case Scene::kUnconfirmed:
            cluster.add_block("node-a", "10.0.0.0/28", store::AffinityState::kPendingDeletion);
            cluster.add_block("node-a", "fd00::/122", store::AffinityState::kPending);
            break;
        }
        return made;
    }

    static void fill(Cluster &cluster, const std::string &host, const std::string &text,
                     std::size_t n)
    {
        store::Block block = cluster.add_block(host, text);
        take(block, n, {"old." + text, {{"pod", "old"}}}, {});
        cluster.store.put(store::BlockKey{block.cidr}, block);
        cluster.store.put(
            store::HandleKey{"old." + text},
            store::Handle{"old." + text, {{text, static_cast<std::int64_t>(n)}}, false, {}});
    }

    static void age(Cluster &cluster, const std::string &host, const std::string &text)
    {
        store::Block block = cluster.add_block(host, text);
        block.claim_time.clear();
        cluster.store.put(store::BlockKey{block.cidr}, block);
    }

    static unsigned wanted4() { return std::get<Scene>(GetParam()) == Scene::kTwoBlocks ? 3 : 1; }

    // What belongs to a pod, in all blocks.
    static std::size_t held(const Cluster &cluster, const std::string &handle)
    {
        std::size_t count = 0;
        for (const store::Block &block : cluster.store.peek_all<store::Block>())
            count += held_by(block, handle).size();
        return count;
    }

    // DEL, then ADD again, as the runtime does; then everything must be in order.
    static void recover(Cluster &cluster, const std::string &where)
    {
        cluster.store.forget_counts();
        cluster.patience = std::chrono::seconds(20);
        ASSERT_TRUE(cluster.del("node-a", "net.c1")) << where;
        EXPECT_EQ(held(cluster, "net.c1"), 0U) << where;
        EXPECT_FALSE(cluster.handle("net.c1")) << where;
        const auto again = cluster.add("node-a", cluster.request("net.c2", wanted4(), 1));
        ASSERT_TRUE(again && again->complete())
            << where << (again ? "" : ": " + again.error().what());
        EXPECT_EQ(held(cluster, "net.c2"), wanted4() + 1U) << where;
        // An affinity of somebody else whose release was begun is that node's to clear away, or a
        // repair's; it holds no address.
        for (const Finding &finding : cluster.findings()) {
            if (finding.problem == Problem::kAffinityContradicted) {
                EXPECT_TRUE(repair(cluster.store, finding, soon())) << where;
            }
        }
        EXPECT_THAT(words(cluster.findings()), ::testing::IsEmpty()) << where;
    }
};

TEST_P(CrashMatrix, LeavesNothingAfterAnAddThatFailedAnywhere)
{
    std::size_t last = 1;
    for (std::size_t n = 1; n <= last; ++n) {
        const auto made = make();
        Cluster &cluster = *made;
        cluster.store.fail_request(n, std::get<Fault>(GetParam()));
        cluster.patience = kPatience;
        const auto answer = cluster.add("node-a", cluster.request("net.c1", wanted4(), 1));
        last = std::max(last, cluster.store.requests());
        const std::string where =
            "request " + std::to_string(n) + ", " +
            (n <= cluster.store.log().size() ? cluster.store.log()[n - 1] : std::string());
        const bool served = answer && answer->complete();
        EXPECT_EQ(served ? held(cluster, "net.c1") : wanted4() + 1U, wanted4() + 1U) << where;
        recover(cluster, where);
        if (HasFatalFailure() || n > 80)
            return;
    }
}

TEST_P(CrashMatrix, LeavesNothingAfterADelThatFailedAnywhere)
{
    std::size_t last = 1;
    for (std::size_t n = 1; n <= last; ++n) {
        const auto made = make();
        Cluster &cluster = *made;
        ASSERT_TRUE(cluster.add("node-a", cluster.request("net.c1", wanted4(), 1))->complete());
        cluster.store.forget_counts();
        cluster.store.fail_request(n, std::get<Fault>(GetParam()));
        cluster.patience = kPatience;
        (void)cluster.del("node-a", "net.c1");
        last = std::max(last, cluster.store.requests());
        recover(cluster, "request " + std::to_string(n));
        if (HasFatalFailure() || n > 80)
            return;
    }
}

std::string crash_name(const ::testing::TestParamInfo<Param> &which)
{
    static const char *const kScenes[] = {"BlockHasRoom", "FirstBlock", "TwoBlocks",
                                          "Reclaim",      "Borrow",     "Unconfirmed"};
    static const char *const kFaults[] = {"Refused", "Lost", "Dropped", "Conflict", "Killed"};
    const auto [like, scene, fault] = which.param;
    return std::string(like == Cluster::Like::kEtcd ? "Etcd" : "Kubernetes") +
           kScenes[static_cast<int>(scene)] + kFaults[static_cast<int>(fault)];
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, CrashMatrix,
    ::testing::Combine(::testing::Values(Cluster::Like::kKubernetes, Cluster::Like::kEtcd),
                       ::testing::Values(Scene::kBlockHasRoom, Scene::kFirstBlock,
                                         Scene::kTwoBlocks, Scene::kReclaim, Scene::kBorrow,
                                         Scene::kUnconfirmed),
                       ::testing::Values(Fault::kDead, Fault::kLost, Fault::kDropped,
                                         Fault::kConflict, Fault::kRefused)),
    crash_name);

}  // namespace
}  // namespace tortie::ipam
