// SPDX-License-Identifier: Apache-2.0
#include "conformance.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "store/names.h"

namespace tortie::store {

Cidr network(const std::string &text)
{
    return Cidr::parse(text).value();
}

Block block(const std::string &network_text)
{
    Block made;
    made.cidr = network(network_text);
    made.affinity = "host:node-a";
    made.claim_time = "2026-08-22T10:11:12Z";
    const unsigned bits = width_bits(made.cidr.addr.family()) - made.cidr.prefix;
    made.allocations.resize(std::size_t{1} << bits);
    for (std::uint32_t i = 0; i < made.allocations.size(); ++i)
        made.unallocated.push_back(i);
    made.sequence_number = 1787393472000000009;
    return made;
}

Affinity affinity(const std::string &host, const std::string &network_text)
{
    Affinity made;
    made.host = host;
    made.cidr = network(network_text);
    made.state = AffinityState::kPending;
    return made;
}

Handle handle(const std::string &id)
{
    Handle made;
    made.id = id;
    return made;
}

void Conformance::SetUp()
{
    std::string missing;
    place_ = GetParam()(missing);
    if (!place_)
        GTEST_SKIP() << missing;
    store_ = place_->open();
}

Written Conformance::commit(const std::vector<Write> &writes)
{
    return store_->commit(writes, soon());
}

Result<Revision> Conformance::create(const Document &document)
{
    return commit({{Op::kCreate, key_of(document), document, {}, 0}}).at(0);
}

Result<Revision> Conformance::update(const Document &document, const Revision &expected)
{
    return commit({{Op::kUpdate, key_of(document), document, expected, 0}}).at(0);
}

Result<Revision> Conformance::remove(const Document &document, const Revision &expected)
{
    return commit({{Op::kDelete, key_of(document), document, expected, 0}}).at(0);
}

namespace {

ErrorKind kind_of(const Result<Revision> &result)
{
    EXPECT_FALSE(result);
    return result ? ErrorKind::kSystem : result.error().kind();
}

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

TEST_P(Conformance, CreatesOnce)
{
    ASSERT_TRUE(create(handle("net.c1")));

    EXPECT_EQ(kind_of(create(handle("net.c1"))), ErrorKind::kExists);
}

TEST_P(Conformance, UpdatesWhatHasNotChanged)
{
    Handle made = handle("net.c1");
    const Revision first = create(made).value();
    made.blocks["10.80.3.8/29"] = 1;

    const Result<Revision> second = update(made, first);

    ASSERT_TRUE(second) << second.error().what();
    EXPECT_NE(second->version, first.version);
    const auto found = read<Handle>(HandleKey{"net.c1"});
    EXPECT_EQ(found->document.blocks, made.blocks);
    EXPECT_EQ(found->revision.version, second->version);
}

TEST_P(Conformance, RefusesAnUpdateOfWhatHasChanged)
{
    Handle made = handle("net.c1");
    const Revision first = create(made).value();
    made.blocks["10.80.3.8/29"] = 1;
    ASSERT_TRUE(update(made, first));
    made.blocks["10.80.3.8/29"] = 7;

    EXPECT_EQ(kind_of(update(made, first)), ErrorKind::kConflict);
    EXPECT_EQ(read<Handle>(HandleKey{"net.c1"})->document.blocks.at("10.80.3.8/29"), 1);
}

TEST_P(Conformance, FindsNothingToUpdateOrDelete)
{
    const Revision gone = create(handle("net.c1")).value();
    ASSERT_TRUE(remove(handle("net.c1"), gone));

    EXPECT_EQ(kind_of(update(handle("net.c1"), gone)), ErrorKind::kNotFound);
    EXPECT_EQ(kind_of(remove(handle("net.c1"), gone)), ErrorKind::kNotFound);
}

TEST_P(Conformance, DeletesWhatHasNotChanged)
{
    const Revision first = create(handle("net.c1")).value();

    ASSERT_TRUE(remove(handle("net.c1"), first));

    const auto found = read<Handle>(HandleKey{"net.c1"});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind(), ErrorKind::kNotFound);
}

TEST_P(Conformance, RefusesToDeleteWhatHasChanged)
{
    Handle made = handle("net.c1");
    const Revision first = create(made).value();
    made.blocks["10.80.3.8/29"] = 1;
    ASSERT_TRUE(update(made, first));

    EXPECT_EQ(kind_of(remove(made, first)), ErrorKind::kConflict);
    EXPECT_TRUE(read<Handle>(HandleKey{"net.c1"}));
}

TEST_P(Conformance, DoesNotTakeANewDocumentForTheOldOne)
{
    const Revision old = create(handle("net.c1")).value();
    ASSERT_TRUE(remove(handle("net.c1"), old));
    ASSERT_TRUE(create(handle("net.c1")));

    const Result<Revision> updated = update(handle("net.c1"), old);

    ASSERT_FALSE(updated);
    EXPECT_TRUE(updated.error().kind() == ErrorKind::kConflict ||
                updated.error().kind() == ErrorKind::kNotFound);
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

TEST_P(Conformance, WritesAllStagesOfACommit)
{
    const Handle first = handle("net.c1");
    const Block second = block("10.80.3.8/29");

    const Written written = commit({{Op::kCreate, key_of(Document(first)), first, {}, 0},
                                    {Op::kCreate, key_of(Document(second)), second, {}, 1}});

    ASSERT_EQ(written.size(), 2U);
    EXPECT_TRUE(all_written(written));
    EXPECT_TRUE(read<Handle>(HandleKey{"net.c1"}));
    EXPECT_TRUE(read<Block>(BlockKey{second.cidr}));
}

TEST_P(Conformance, StopsBeforeTheStageBehindAFailure)
{
    const Handle first = handle("net.c1");
    const Block second = block("10.80.3.8/29");
    ASSERT_TRUE(create(first));

    const Written written = commit({{Op::kCreate, key_of(Document(first)), first, {}, 0},
                                    {Op::kCreate, key_of(Document(second)), second, {}, 1}});

    ASSERT_EQ(written.size(), 2U);
    EXPECT_EQ(kind_of(written[0]), ErrorKind::kExists);
    EXPECT_EQ(kind_of(written[1]), ErrorKind::kNotAttempted);
    EXPECT_FALSE(read<Block>(BlockKey{second.cidr}));
}

TEST_P(Conformance, UndoesEarlierStagesWhereItIsAtomic)
{
    if (!store_->atomic())
        GTEST_SKIP() << "this datastore has no transactions";
    const Handle first = handle("net.c1");
    const Block second = block("10.80.3.8/29");
    ASSERT_TRUE(create(second));

    const Written written = commit({{Op::kCreate, key_of(Document(first)), first, {}, 0},
                                    {Op::kCreate, key_of(Document(second)), second, {}, 1}});

    EXPECT_EQ(kind_of(written[0]), ErrorKind::kNotAttempted);
    EXPECT_EQ(kind_of(written[1]), ErrorKind::kExists);
    EXPECT_FALSE(read<Handle>(HandleKey{"net.c1"}));
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

TEST_P(Conformance, HasNoPodsWithoutKubernetes)
{
    if (store_->endpoints_are_pods())
        GTEST_SKIP() << "this datastore is Kubernetes";

    const auto pod = read<kube::Pod>(PodKey{"shop", "cart"});

    ASSERT_FALSE(pod);
    EXPECT_EQ(pod.error().kind(), ErrorKind::kUnsupported);
}

TEST_P(Conformance, StoresEndpointsThatAreNotPods)
{
    if (store_->endpoints_are_pods())
        GTEST_SKIP() << "this datastore keeps endpoints in pods";
    Endpoint made;
    made.ns = "shop";
    made.name = "node--a-k8s-cart-eth0";
    made.container_id = "c1";
    const Revision first = create(made).value();
    made = read<Endpoint>(EndpointKey{made.ns, made.name})->document;
    made.container_id = "c2";

    ASSERT_TRUE(update(made, {}));  // compares nothing
    const Query list = ListEndpoints{"shop", "node--a-k8s-cart-"};
    const auto found = all<Endpoint>(store_->read({&list, 1}, soon()).at(0));

    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->at(0).document.container_id, "c2");
    EXPECT_EQ(found->at(0).document.uid.size(), 36U);
    EXPECT_EQ(kind_of(update(made, first)), ErrorKind::kConflict);
    EXPECT_TRUE(remove(made, {}));
    EXPECT_EQ(kind_of(remove(made, {})), ErrorKind::kNotFound);
}

// One more in the count of a handle, however often somebody else is faster.
bool count_up(Store &store, Deadline deadline)
{
    while (!deadline.passed()) {
        Result<Held<Handle>> held = get<Handle>(store, HandleKey{"net.c1"}, deadline);
        if (!held)
            return false;
        ++held->document.blocks["10.80.3.8/29"];
        const Write write = {Op::kUpdate, HandleKey{"net.c1"}, held->document, held->revision, 0};
        if (all_written(store.commit({&write, 1}, deadline)))
            return true;
    }
    return false;
}

TEST_P(Conformance, LosesNoUpdateOfManyProcesses)
{
    constexpr int kProcesses = 6;
    constexpr int kUpdates = 10;
    ASSERT_TRUE(create(handle("net.c1")));

    for (int i = 0; i < kProcesses; ++i) {
        if (::fork() != 0)
            continue;
        const std::unique_ptr<Store> own = place_->open();
        bool done = true;
        for (int n = 0; n < kUpdates; ++n)
            done = done && count_up(*own, Deadline::in(std::chrono::seconds(60)));
        ::_exit(done ? 0 : 1);
    }
    for (int i = 0; i < kProcesses; ++i) {
        int status = -1;
        ASSERT_GT(::wait(&status), 0);
        EXPECT_EQ(status, 0);
    }

    const auto found = read<Handle>(HandleKey{"net.c1"});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->document.blocks.at("10.80.3.8/29"), kProcesses * kUpdates);
}

}  // namespace
}  // namespace tortie::store
