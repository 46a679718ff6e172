// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"
#include "store/names.h"

namespace tortie::store {
namespace {

ErrorKind kind_of(const Result<Revision> &result)
{
    EXPECT_FALSE(result);
    return result ? ErrorKind::kSystem : result.error().kind();
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
    if (!place_->reaches_other_processes())
        GTEST_SKIP() << "this datastore lives in one process";
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
