// SPDX-License-Identifier: Apache-2.0
#include "ipam/owner_attributes.h"

#include "ipam/block.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using ::testing::ElementsAre;

const PodName kSource{"shop", "launcher-1"};
const PodName kTarget{"shop", "launcher-2"};

store::StringMap owner(const PodName &pod)
{
    return {{"namespace", pod.ns}, {"pod", pod.name}, {"node", "node-a"}};
}

class OwnerAttributes : public ::testing::Test {
protected:
    OwnerAttributes()
    {
        cluster.add_pool("p", "10.0.0.0/26");
        Request request = cluster.request("vm");
        request.attributes = owner(kSource);
        address = cluster.add("node-a", request)->v4.addresses.front();
    }

    std::string set(const OwnerUpdate &update, const std::string &handle = "vm")
    {
        const auto done =
            set_owner_attributes(cluster.store, address.ip, std::nullopt, handle, update, soon());
        return done ? "" : done.error().what();
    }

    OwnedAddress owned() { return addresses_of_handle(cluster.store, "vm", soon())->front(); }

    Cluster cluster;
    Address address;
};

OwnerUpdate set_active(const PodName &pod)
{
    OwnerUpdate update;
    update.active = owner(pod);
    return update;
}

OwnerUpdate set_alternate(const PodName &pod)
{
    OwnerUpdate update;
    update.alternate = owner(pod);
    return update;
}

TEST_F(OwnerAttributes, SetEachSideWithoutTheOther)
{
    EXPECT_EQ(set(set_alternate(kTarget)), "");
    EXPECT_TRUE(is_owned_by(owned().active, kSource));
    EXPECT_TRUE(is_owned_by(owned().alternate, kTarget));
    EXPECT_EQ(set(set_active(kTarget)), "");
    EXPECT_TRUE(is_owned_by(owned().active, kTarget));
    EXPECT_TRUE(is_owned_by(owned().alternate, kTarget));
    EXPECT_SOUND(cluster);
}

TEST_F(OwnerAttributes, ClearEitherSideOrBoth)
{
    set(set_alternate(kTarget));
    OwnerUpdate update;
    update.clear_active = true;
    EXPECT_EQ(set(update), "");
    EXPECT_FALSE(owned().active);
    EXPECT_TRUE(owned().alternate);
    update.clear_alternate = true;
    EXPECT_EQ(set(update), "");
    EXPECT_FALSE(owned().alternate);
    EXPECT_EQ(owned().ip, address.ip);
    EXPECT_SOUND(cluster);
}

TEST_F(OwnerAttributes, SwapAtTheEndOfAMigration)
{
    set(set_alternate(kTarget));
    OwnerUpdate swap = set_active(kTarget);
    swap.clear_alternate = true;
    swap.expected_active = kSource;
    swap.expected_alternate = kTarget;

    EXPECT_EQ(set(swap), "");

    EXPECT_TRUE(is_owned_by(owned().active, kTarget));
    EXPECT_FALSE(owned().alternate);
}

TEST_F(OwnerAttributes, ChangeNothingWhenAPreconditionFails)
{
    OwnerUpdate update = set_active(kTarget);
    update.alternate = owner(kTarget);
    update.expected_active = kTarget;

    EXPECT_EQ(set(update),
              "cannot set active owner: expected pod=launcher-2 namespace=shop but found "
              "pod=launcher-1 namespace=shop");

    EXPECT_TRUE(is_owned_by(owned().active, kSource));
    EXPECT_FALSE(owned().alternate);
    update.expected_active = kSource;
    update.expected_alternate = kTarget;
    EXPECT_NE(set(update), "");
    update.expected_alternate.reset();
    EXPECT_EQ(set(update), "");
}

TEST_F(OwnerAttributes, CanDemandThatASideIsEmpty)
{
    OwnerUpdate update = set_alternate(kTarget);
    update.verify_alternate_empty = true;
    EXPECT_EQ(set(update), "");
    EXPECT_NE(set(update), "");
    OwnerUpdate active = set_active(kTarget);
    active.verify_active_empty = true;
    EXPECT_NE(set(active), "");
}

TEST_F(OwnerAttributes, RefuseContradictions)
{
    OwnerUpdate update = set_active(kTarget);
    update.clear_active = true;
    EXPECT_EQ(set(update),
              "cannot set both ClearActiveOwner=true and ActiveOwnerAttrs: these are mutually "
              "exclusive");
    OwnerUpdate alternate;
    alternate.expected_alternate = kTarget;
    alternate.verify_alternate_empty = true;
    EXPECT_NE(set(alternate), "");
}

TEST_F(OwnerAttributes, RefuseWhatIsNotTheHandles)
{
    EXPECT_EQ(set(set_active(kTarget), "other"), "IP 10.0.0.0 is not assigned to handle other");
    EXPECT_EQ(set_owner_attributes(cluster.store, ip("10.0.0.9"), std::nullopt, "vm", {}, soon())
                  .error()
                  .kind(),
              ErrorKind::kNotFound);
    EXPECT_EQ(set_owner_attributes(cluster.store, ip("192.0.2.1"), std::nullopt, "vm", {}, soon())
                  .error()
                  .what(),
              "the provided IP address 192.0.2.1 is not in a configured pool");
}

TEST_F(OwnerAttributes, WriteNothingWhenNothingChanges)
{
    const std::int64_t before = cluster.block("10.0.0.0/26")->sequence_number;
    EXPECT_EQ(set({}), "");
    EXPECT_EQ(set(set_active(kSource)), "");
    EXPECT_EQ(cluster.block("10.0.0.0/26")->sequence_number, before);
}

TEST_F(OwnerAttributes, SurviveALostAnswerAndAConflict)
{
    OwnerUpdate update = set_active(kTarget);
    update.expected_active = kSource;
    for (const auto fault : {test::MemoryStore::Fault::kLost, test::MemoryStore::Fault::kConflict,
                             test::MemoryStore::Fault::kDropped}) {
        set(set_active(kSource));
        cluster.store.forget_counts();
        cluster.store.fail_request(3, fault);  // pools, block, and this write
        EXPECT_EQ(set(update), "");
        EXPECT_TRUE(is_owned_by(owned().active, kTarget));
    }
}

TEST_F(OwnerAttributes, ListAllAddressesOfAHandle)
{
    cluster.add_pool("six", "fd00::/122");
    ASSERT_TRUE(cluster.add("node-a", cluster.request("vm", 1, 1))->complete());

    const auto all = addresses_of_handle(cluster.store, "vm", soon());

    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 3U);
    EXPECT_EQ((*all)[0].ip, ip("10.0.0.0"));
    EXPECT_EQ((*all)[1].ip, ip("10.0.0.1"));
    EXPECT_EQ((*all)[2].ip, ip("fd00::"));
    EXPECT_EQ(addresses_of_handle(cluster.store, "none", soon()).error().kind(),
              ErrorKind::kNotFound);
}

TEST(Check, FindsAndRepairsWhatCanBeRepairedWithoutGuessing)
{
    Cluster cluster;
    cluster.add_pool("p", "10.0.0.0/24");
    cluster.add_block("node-a", "10.0.0.0/26", store::AffinityState::kPending);
    cluster.store.put(store::AffinityKey{"node-b", cidr("10.0.0.0/26")},
                      store::Affinity{store::AffinityType::kHost,
                                      "node-b",
                                      cidr("10.0.0.0/26"),
                                      store::AffinityState::kConfirmed,
                                      false,
                                      {}});
    cluster.store.put(store::AffinityKey{"node-b", cidr("10.0.0.64/26")},
                      store::Affinity{store::AffinityType::kHost,
                                      "node-b",
                                      cidr("10.0.0.64/26"),
                                      store::AffinityState::kPending,
                                      false,
                                      {}});
    store::Block block = *cluster.block("10.0.0.0/26");
    take(block, 2, {"few", {}}, {});
    take(block, 1, {"missing", {}}, {});
    cluster.store.put(store::BlockKey{block.cidr}, block);
    cluster.store.put(store::HandleKey{"few"},
                      store::Handle{"few", {{"10.0.0.0/26", 1}}, false, {}});
    cluster.store.put(store::HandleKey{"many"},
                      store::Handle{"many", {{"10.0.0.0/26", 1}}, false, {}});

    const auto findings = cluster.findings();

    std::vector<std::string> problems;
    for (const Finding &finding : findings) {
        problems.emplace_back(name_of(finding.problem));
        EXPECT_TRUE(finding.repairable);
        EXPECT_TRUE(repair(cluster.store, finding, soon())) << finding.object;
    }
    EXPECT_THAT(problems,
                ::testing::UnorderedElementsAre("affinity-unfinished", "affinity-contradicted",
                                                "affinity-without-block", "handle-missing",
                                                "handle-counts-too-few", "handle-counts-too-many"));
    EXPECT_SOUND(cluster);
    EXPECT_EQ(held_by(*cluster.block("10.0.0.0/26"), "few").size(), 2U);
}

TEST(Check, ReportsWhatItWillNotTouch)
{
    Documents documents;
    store::Block block = fresh_block(cidr("10.0.0.0/29"), "node-a");
    take(block, 1, {"h", {{"pod", "a"}}}, {});
    take(block, 1, {"t", {{"type", "ipipTunnelAddress"}}}, {});
    block.allocations[2] = 9;
    documents.blocks = {{block, {}}, {fresh_block(cidr("10.0.0.0/30"), "node-b"), {}}};
    documents.handles = {{store::Handle{"h", {{"10.0.0.0/29", 1}}, false, {}}, {}},
                         {store::Handle{"t", {{"10.0.0.0/29", 1}}, false, {}}, {}}};
    documents.endpoints = {{ip("10.0.0.7"), "shop/x"}, {ip("10.0.0.7"), "shop/y"}};

    std::vector<std::string> problems;
    for (const Finding &finding : check(documents)) {
        problems.emplace_back(name_of(finding.problem));
        Cluster empty;
        EXPECT_EQ(repair(empty.store, finding, soon()).error().kind(), ErrorKind::kUnsupported);
    }

    EXPECT_THAT(problems,
                ElementsAre("block-broken", "block-broken", "block-without-affinity",
                            "block-without-affinity", "blocks-overlap", "address-not-allocated",
                            "address-used-twice", "address-not-allocated", "address-not-used"));
}

}  // namespace
}  // namespace tortie::ipam
