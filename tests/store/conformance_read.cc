// SPDX-License-Identifier: Apache-2.0
#include "conformance.h"

namespace tortie::store {
namespace {

TEST_P(Conformance, SaysReadyFromTheStart)
{
    const auto information = read<ClusterInformation>(ClusterInformationKey{});

    ASSERT_TRUE(information) << information.error().what();
    EXPECT_EQ(information->document.datastore_ready, true);
}

TEST_P(Conformance, HasNothingElseFromTheStart)
{
    const auto config = read<IpamConfig>(IpamConfigKey{});
    const auto one = read<Handle>(HandleKey{"h"});

    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().kind(), ErrorKind::kNotFound);
    ASSERT_FALSE(one);
    EXPECT_EQ(one.error().kind(), ErrorKind::kNotFound);
}

TEST_P(Conformance, ReadsWhatWasCreated)
{
    Block made = block("10.80.3.8/29");
    made.allocations[3] = 0;
    made.unallocated = {2, 5, 6, 7, 0, 1, 4};
    made.attributes.push_back({"net.c1", StringMap{{"node", "node-a"}}, std::nullopt, "", ""});
    made.sequence_for_allocation[3] = 9223372036854775807;

    const Result<Revision> created = create(made);
    const auto found = read<Block>(BlockKey{made.cidr});

    ASSERT_TRUE(created) << created.error().what();
    ASSERT_TRUE(found) << found.error().what();
    EXPECT_EQ(found->revision.version, created->version);
    EXPECT_EQ(found->document.allocations, made.allocations);
    EXPECT_EQ(found->document.unallocated, made.unallocated);
    EXPECT_EQ(found->document.attributes, made.attributes);
    EXPECT_EQ(found->document.sequence_number, made.sequence_number);
    EXPECT_EQ(found->document.sequence_for_allocation, made.sequence_for_allocation);
    EXPECT_EQ(found->document.claim_time, made.claim_time);
}

TEST_P(Conformance, FinishesADeletionThatSomebodyBegan)
{
    Handle made = handle("net.c1");
    made.deleted = true;
    ASSERT_TRUE(create(made));

    const auto found = read<Handle>(HandleKey{"net.c1"});

    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind(), ErrorKind::kNotFound);
    made.deleted = false;
    EXPECT_TRUE(create(made));
}

TEST_P(Conformance, LeavesDocumentsMarkedDeletedOutOfLists)
{
    Affinity marked = affinity("node-a", "10.80.3.8/29");
    marked.deleted = true;
    ASSERT_TRUE(create(marked));
    ASSERT_TRUE(create(affinity("node-a", "10.80.3.16/29")));

    const Query list = ListAffinities{"node-a", AffinityType::kHost};
    const auto found = all<Affinity>(store_->read({&list, 1}, soon()).at(0));

    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->at(0).document.cidr, network("10.80.3.16/29"));
}

TEST_P(Conformance, ListsTheAffinitiesOfOneHostInOrder)
{
    ASSERT_TRUE(create(affinity("node-a", "10.80.3.16/29")));
    ASSERT_TRUE(create(affinity("node-a", "fd80::40/122")));
    ASSERT_TRUE(create(affinity("node-a", "10.80.3.8/29")));
    ASSERT_TRUE(create(affinity("node-ab", "10.80.3.24/29")));
    Affinity virtual_one = affinity("node-a", "10.80.3.32/29");
    virtual_one.type = AffinityType::kVirtual;
    ASSERT_TRUE(create(virtual_one));

    const Query list = ListAffinities{"node-a", AffinityType::kHost};
    const auto found = all<Affinity>(store_->read({&list, 1}, soon()).at(0));

    ASSERT_TRUE(found) << found.error().what();
    std::vector<std::string> names;
    for (const auto &held : *found)
        names.push_back(held.document.cidr.to_string());
    EXPECT_EQ(names, (std::vector<std::string>{"10.80.3.16/29", "10.80.3.8/29", "fd80::40/122"}));
    EXPECT_FALSE(found->at(0).revision.version.empty());
}

TEST_P(Conformance, ListsBlocksOfBothFamilies)
{
    ASSERT_TRUE(create(block("fd80::40/122")));
    ASSERT_TRUE(create(block("10.80.3.8/29")));

    const Query list = ListBlocks{};
    const auto found = all<Block>(store_->read({&list, 1}, soon()).at(0));

    ASSERT_TRUE(found) << found.error().what();
    EXPECT_EQ(found->size(), 2U);
}

TEST_P(Conformance, AnswersABatchInItsOrder)
{
    ASSERT_TRUE(create(handle("net.c1")));
    ASSERT_TRUE(create(block("10.80.3.8/29")));

    const std::vector<Query> queries = {Key(HandleKey{"net.c2"}), ListBlocks{},
                                        Key(HandleKey{"net.c1"}), ListHandles{},
                                        Key(BlockKey{network("10.80.3.8/29")})};
    std::vector<Found> found = store_->read(queries, soon());

    ASSERT_EQ(found.size(), queries.size());
    ASSERT_FALSE(found[0]);
    EXPECT_EQ(found[0].error().kind(), ErrorKind::kNotFound);
    EXPECT_EQ(found[1]->size(), 1U);
    EXPECT_EQ(std::get<Handle>(found[2]->at(0).document).id, "net.c1");
    EXPECT_EQ(found[3]->size(), 1U);
    EXPECT_TRUE(std::holds_alternative<Block>(found[4]->at(0).document));
}

TEST_P(Conformance, KeepsDocumentsWithLongNamesApart)
{
    const std::string host(253, 'h');
    ASSERT_TRUE(create(affinity(host, "10.80.3.8/29")));
    ASSERT_TRUE(create(affinity(host, "10.80.3.16/29")));

    const auto found = read<Affinity>(AffinityKey{host, network("10.80.3.16/29")});

    ASSERT_TRUE(found) << found.error().what();
    EXPECT_EQ(found->document.host, host);
    EXPECT_EQ(found->document.cidr, network("10.80.3.16/29"));
}

TEST_P(Conformance, KeepsTheCaseOfAHandle)
{
    ASSERT_TRUE(create(handle("k8s-pod-network.C1F0AA")));

    const auto found = read<Handle>(HandleKey{"k8s-pod-network.C1F0AA"});

    ASSERT_TRUE(found) << found.error().what();
    EXPECT_EQ(found->document.id, "k8s-pod-network.C1F0AA");
}

TEST_P(Conformance, LeavesAnUnreadableDocumentOutOfLists)
{
    ASSERT_TRUE(create(block("10.80.3.8/29")));
    const Key spoilt = BlockKey{network("10.80.3.16/29")};
    if (!place_->spoil(spoilt))
        GTEST_SKIP() << "this datastore checks what is stored";

    const std::vector<Query> queries = {ListBlocks{}, spoilt};
    const std::vector<Found> found = store_->read(queries, soon());

    ASSERT_TRUE(found[0]) << found[0].error().what();
    EXPECT_EQ(found[0]->size(), 1U);
    ASSERT_FALSE(found[1]);
    EXPECT_EQ(found[1].error().kind(), ErrorKind::kInvalidInput);
}

TEST_P(Conformance, ListsWhatHasNoLabelsEvenWhereThereAreNone)
{
    const Query list = ListUnlabelledAffinities{};
    ASSERT_TRUE(create(affinity("node-a", "10.80.3.8/29")));

    const std::vector<Found> found = store_->read({&list, 1}, soon());

    ASSERT_TRUE(found[0]) << found[0].error().what();
    EXPECT_TRUE(found[0]->empty());
}

TEST_P(Conformance, HasNoPodsOfItsOwn)
{
    if (store_->endpoints_are_pods())
        GTEST_SKIP() << "this datastore is Kubernetes";

    const auto pod = read<kube::Pod>(PodKey{"shop", "cart"});

    ASSERT_FALSE(pod);
    EXPECT_TRUE(pod.error().kind() == ErrorKind::kUnsupported ||
                pod.error().kind() == ErrorKind::kNotFound);
}

}  // namespace
}  // namespace tortie::store
