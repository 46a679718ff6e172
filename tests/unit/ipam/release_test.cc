// SPDX-License-Identifier: Apache-2.0
#include "ipam/release.h"

#include "ipam/affinity.h"
#include "ipam/block.h"
#include "ipam/timestamp.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Release : public ::testing::TestWithParam<Cluster::Like> {
protected:
    Release() : cluster(GetParam()) { cluster.add_pool("p", "10.0.0.0/24"); }

    Address add(const std::string &handle)
    {
        return cluster.add4("node-a", handle)->v4.addresses.front();
    }

    Result<AddressesReleased> release(const AddressRelease &one)
    {
        return release_addresses(cluster.store, {&one, 1}, 0, soon());
    }

    Cluster cluster;
};

INSTANTIATE_TEST_SUITE_P(Stores, Release,
                         ::testing::Values(Cluster::Like::kKubernetes, Cluster::Like::kEtcd),
                         like_name);

TEST_P(Release, GivesBackAllOfAHandleAndRemovesIt)
{
    const Address address = add("h");
    add("other");

    const auto released = cluster.del("node-a", "h");

    ASSERT_TRUE(released);
    EXPECT_THAT(released->addresses, ElementsAre(address.ip));
    EXPECT_FALSE(cluster.handle("h"));
    EXPECT_TRUE(cluster.handle("other"));
    EXPECT_SOUND(cluster);
}

TEST_P(Release, SucceedsWithNothingToReleaseAndTwice)
{
    EXPECT_THAT(cluster.del("node-a", "h")->addresses, IsEmpty());
    add("h");
    EXPECT_THAT(cluster.del("node-a", "h")->addresses, SizeIs(1));
    EXPECT_THAT(cluster.del("node-a", "h")->addresses, IsEmpty());
    EXPECT_THAT(cluster.del("", "h")->addresses, IsEmpty());
}

TEST_P(Release, RemovesHandlesThatCountTooManyNameMissingBlocksOrNothing)
{
    add("h");
    store::Handle handle = *cluster.handle("h");
    handle.blocks.begin()->second = 7;
    handle.blocks["10.77.0.0/26"] = 1;
    handle.blocks["nonsense"] = 1;
    handle.blocks["10.77.0.0/8"] = 1;
    cluster.store.put(store::HandleKey{"h"}, handle);
    cluster.store.put(store::HandleKey{"empty"}, store::Handle{"empty", {}, false, {}});

    EXPECT_THAT(cluster.del("node-a", "h")->addresses, SizeIs(1));
    EXPECT_TRUE(cluster.del("node-a", "empty"));

    EXPECT_THAT(cluster.store.peek_all<store::Handle>(), IsEmpty());
    EXPECT_SOUND(cluster);
}

TEST_P(Release, FindsAnAddressInTheHostsBlocksWhenTheHandleIsGone)
{
    add("h");
    cluster.store.remove(store::HandleKey{"h"});

    EXPECT_THAT(cluster.del("node-a", "h")->addresses, SizeIs(1));
    EXPECT_SOUND(cluster);
}

TEST_P(Release, FindsAddressesUnderTheHandleOfCalicoTwo)
{
    add("shop.cart");
    add("net.c1");

    const auto first =
        release_by_handle(cluster.store, "node-a", {"net.c1", "shop.cart", true}, soon());
    EXPECT_THAT(first->addresses, SizeIs(2));

    add("shop.cart");
    const auto second =
        release_by_handle(cluster.store, "node-a", {"net.c2", "shop.cart", false}, soon());
    EXPECT_THAT(second->addresses, SizeIs(1));
    EXPECT_SOUND(cluster);
}

TEST_P(Release, DeletesABlockThatNobodyOwnsWithItsLastAddress)
{
    const Address address = add("h");
    store::Block block = *cluster.block(address.block.to_string());
    block.affinity.clear();
    cluster.store.put(store::BlockKey{block.cidr}, block);
    cluster.store.remove(store::AffinityKey{"node-a", block.cidr, store::AffinityType::kHost});

    ASSERT_TRUE(cluster.del("node-a", "h"));

    EXPECT_FALSE(cluster.block(address.block.to_string()));
}

TEST_P(Release, GivesUpTheEmptyBlockOfAPoolThatLeftTheNode)
{
    cluster.add_node("node-a", {{"rack", "r1"}});
    const Address address = add("h");
    add("h2");
    cluster.add_pool("p", "10.0.0.0/24", {.node_selector = "rack == 'r2'"});

    ASSERT_TRUE(cluster.del("node-a", "h"));
    EXPECT_TRUE(cluster.affinity("node-a", address.block.to_string()));
    ASSERT_TRUE(cluster.del("node-a", "h2"));

    EXPECT_FALSE(cluster.affinity("node-a", address.block.to_string()));
    EXPECT_FALSE(cluster.block(address.block.to_string()));
}

TEST_P(Release, OfTheLastAddressByNameGivesUpSuchABlockToo)
{
    cluster.add_node("node-a", {{"rack", "r1"}});
    const Address address = add("h");
    cluster.add_pool("p", "10.0.0.0/24", {.node_selector = "rack == 'r2'"});

    ASSERT_TRUE(release({address.ip, "h", std::nullopt, std::nullopt}));

    EXPECT_FALSE(cluster.block(address.block.to_string()));
}

TEST_P(Release, LeavesACoolingAddressWhenACooldownIsConfigured)
{
    cluster.configure({false, true, 0, true, 60, {}});
    const Address address = add("h");

    ASSERT_TRUE(cluster.del("node-a", "h"));

    const store::Block block = *cluster.block(address.block.to_string());
    EXPECT_FALSE(block.attributes.front().released_at.empty());
    EXPECT_FALSE(block.attributes.front().handle_id);
    EXPECT_SOUND(cluster);
}

TEST(ReleaseOnAnOldServer, FreesAnAddressWhoseReleaseTimeWasPruned)
{
    Cluster cluster;
    cluster.store.prunes_released_at = true;
    cluster.configure({false, true, 0, true, 60, {}});
    cluster.add_pool("p", "10.0.0.0/30", {.block_size = 30});
    ASSERT_TRUE(cluster.add4("node-a", "h"));

    ASSERT_TRUE(cluster.del("node-a", "h"));

    EXPECT_TRUE(is_empty(*cluster.block("10.0.0.0/30")));
    EXPECT_SOUND(cluster);
}

TEST_P(Release, DoesNotFailBecauseOfTheConfiguration)
{
    add("h");
    std::vector<store::Found> found;
    found.emplace_back(std::vector<store::Stored>{{*cluster.handle("h"), {"1", ""}}});
    found.emplace_back(fail(ErrorKind::kSystem, "forbidden"));

    const auto view = release_view_of(found, std::nullopt);

    ASSERT_TRUE(view);
    EXPECT_EQ(view->cooldown_s, 0);
}

TEST_P(Release, NeverTouchesRecordsOfTunnelsOrWindows)
{
    cluster.add_block("node-a", "10.0.0.0/26");
    store::Block block = *cluster.block("10.0.0.0/26");
    take(block, 1, {"vxlan-tunnel-addr-node-a", {{"type", "vxlanTunnelAddress"}}}, {});
    take(block, 3, {std::string(kWindowsHandle), {{"note", "windows host rsvd"}}}, {});
    cluster.store.put(store::BlockKey{block.cidr}, block);

    ASSERT_TRUE(cluster.add4("node-a", "h"));
    ASSERT_TRUE(cluster.del("node-a", "h"));

    EXPECT_THAT(held_by(*cluster.block("10.0.0.0/26"), "vxlan-tunnel-addr-node-a"), ElementsAre(0));
    EXPECT_THAT(held_by(*cluster.block("10.0.0.0/26"), kWindowsHandle), ElementsAre(1, 2, 3));
}

TEST_P(Release, ByAddressRefusesAStaleSequenceNumberTenTimes)
{
    Address stale = add("h");
    for (int i = 0; i < 10; ++i) {
        const std::int64_t before = cluster.block(stale.block.to_string())->sequence_number;
        ASSERT_TRUE(release({stale.ip, "h", stale.sequence, std::nullopt}));
        Request request = cluster.request("h");
        request.specific = stale.ip;
        const Address fresh = cluster.add("node-a", request)->v4.addresses.front();
        EXPECT_EQ(cluster.block(stale.block.to_string())->sequence_number, before + 2);

        const auto refused = release({stale.ip, "h", stale.sequence, std::nullopt});

        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind(), ErrorKind::kConflict);
        stale = fresh;
    }
    EXPECT_TRUE(release({stale.ip, "h", stale.sequence, std::nullopt}));
    EXPECT_SOUND(cluster);
}

TEST_P(Release, ByAddressRefusesTheWrongHandle)
{
    const Address address = add("h");
    EXPECT_EQ(release({address.ip, "other", std::nullopt, std::nullopt}).error().kind(),
              ErrorKind::kInvalidInput);
    EXPECT_TRUE(cluster.handle("h"));
}

TEST_P(Release, ByAddressReportsWhatWasNotAllocated)
{
    const Address address = add("h");
    const std::vector<AddressRelease> all = {
        {ip("192.0.2.1"), "", std::nullopt, std::nullopt},
        {address.block.addr.last_in(26), "", std::nullopt, std::nullopt},
        {address.ip, "", std::nullopt, std::nullopt},
        {address.ip, "", std::nullopt, std::nullopt}};

    const auto done = release_addresses(cluster.store, all, 0, soon());

    ASSERT_TRUE(done);
    EXPECT_THAT(done->released, ElementsAre(address.ip));
    EXPECT_THAT(done->unallocated, SizeIs(2));
    EXPECT_SOUND(cluster);
}

TEST_P(Release, ByAddressFindsBlocksOfDisabledAndDeletedPools)
{
    std::vector<AddressRelease> all;
    for (const char *host : {"node-a", "node-b", "node-c", "node-d"}) {
        const auto answer = cluster.add(host, cluster.request(std::string("h.") + host, 25));
        for (const Address &each : answer->v4.addresses)
            all.push_back({each.ip, "", std::nullopt, std::nullopt});
    }
    cluster.add_pool("p", "10.0.0.0/24", {.disabled = true});

    const auto done = release_addresses(cluster.store, std::span(all).first(50), 0, soon());
    cluster.store.remove(store::PoolKey{"p"});
    const auto rest = release_addresses(cluster.store, std::span(all).last(50), 0, soon());

    EXPECT_THAT(done->unallocated, IsEmpty());
    EXPECT_THAT(rest->unallocated, IsEmpty());
    EXPECT_THAT(cluster.store.peek_all<store::Handle>(), IsEmpty());
    EXPECT_SOUND(cluster);
}

TEST_P(Release, CountsSeveralAddressesOfAHandleRightly)
{
    const auto answer = cluster.add("node-a", cluster.request("h", 3));
    std::vector<AddressRelease> two;
    for (const Address &each : std::span(answer->v4.addresses).first(2))
        two.push_back({each.ip, "h", each.sequence, each.block});

    ASSERT_TRUE(release_addresses(cluster.store, two, 0, soon()));

    EXPECT_EQ(cluster.handle("h")->blocks.begin()->second, 1);
    EXPECT_SOUND(cluster);
}

TEST_P(Release, OfAnAffinityDemandsAnEmptyBlockWhenAsked)
{
    const Address address = add("h");

    const auto refused =
        release_affinity(cluster.store, "node-a", address.block, {true, std::nullopt}, soon());
    EXPECT_EQ(refused.error().what(), "block '" + address.block.to_string() + "' is not empty");
    EXPECT_TRUE(cluster.affinity("node-a", address.block.to_string()));

    ASSERT_TRUE(
        release_affinity(cluster.store, "node-a", address.block, {false, std::nullopt}, soon()));
    EXPECT_EQ(cluster.block(address.block.to_string())->affinity, "");
    EXPECT_EQ(cluster.block(address.block.to_string())->claim_time, "");
    ASSERT_TRUE(cluster.del("node-a", "h"));
    EXPECT_FALSE(cluster.block(address.block.to_string()));
    EXPECT_SOUND(cluster);
}

TEST_P(Release, OfAnAffinityFailsWhenTheBlockHasChanged)
{
    const store::Block block = cluster.add_block("node-a", "10.0.0.0/26");

    EXPECT_EQ(release_affinity(cluster.store, "node-a", block.cidr,
                               {true, block.sequence_number + 1}, soon())
                  .error()
                  .what(),
              "IPAM block updated since we last read it");
    EXPECT_EQ(release_affinity(cluster.store, "", block.cidr, {}, soon()).error().what(),
              "Hostname must be specified to release block affinity");
    EXPECT_TRUE(release_affinity(cluster.store, "node-a", block.cidr, {true, block.sequence_number},
                                 soon()));
    EXPECT_EQ(release_affinity(cluster.store, "node-a", block.cidr, {}, soon()).error().kind(),
              ErrorKind::kNotFound);
    EXPECT_SOUND(cluster);
}

TEST_P(Release, OfAnAffinityRemovesOneThatContradictsTheBlock)
{
    cluster.add_block("node-a", "10.0.0.0/26");
    cluster.add_block("node-b", "10.0.0.0/26");

    EXPECT_EQ(
        release_affinity(cluster.store, "node-a", cidr("10.0.0.0/26"), {}, soon()).error().what(),
        "10.0.0.0/26 already claimed by host:node-b");
    EXPECT_FALSE(cluster.affinity("node-a", "10.0.0.0/26"));
    EXPECT_SOUND(cluster);
}

}  // namespace
}  // namespace tortie::ipam
