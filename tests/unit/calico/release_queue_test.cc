// SPDX-License-Identifier: Apache-2.0
#include "calico/release_queue.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReleaseQueueTest : public ::testing::Test {
protected:
    static PendingRelease entry(const std::string &container, const std::string &store = "s1")
    {
        return {.store = store,
                .network = "net1",
                .container_id = container,
                .node = "node-a",
                .handles = {"net1." + container, container},
                .queued_at = "2026-08-22 10:15:01 +0000 UTC",
                .endpoint_ns = "shop",
                .endpoint = "wep",
                .pod = "cart"};
    }

    // Remembers what is released, and fails as it is told.
    ReleaseQueue::Release release()
    {
        return [this](const PendingRelease &pending) -> Result<> {
            released_.push_back(pending.container_id);
            if (failure_)
                return fail(*failure_, "away");
            return {};
        };
    }

    std::size_t files() const
    {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto &file : std::filesystem::directory_iterator(folder_))
            ++count;
        return count;
    }

    test::TempDir temp_;
    std::string folder_ = temp_ / "queue";
    ReleaseQueue queue_{folder_};
    std::vector<std::string> released_;
    std::optional<ErrorKind> failure_;
};

TEST_F(ReleaseQueueTest, KeepsEverythingOfAnEntry)
{
    ASSERT_TRUE(queue_.add(entry("c1")).has_value());

    const auto entries = queue_.list();

    ASSERT_THAT(entries, SizeIs(1));
    EXPECT_THAT(entries[0].handles, ElementsAre("net1.c1", "c1"));
    EXPECT_EQ(entries[0].store, "s1");
    EXPECT_EQ(entries[0].node, "node-a");
    EXPECT_EQ(entries[0].queued_at, "2026-08-22 10:15:01 +0000 UTC");
    EXPECT_EQ(entries[0].endpoint, "wep");
    EXPECT_EQ(entries[0].endpoint_ns, "shop");
    EXPECT_EQ(entries[0].pod, "cart");
}

TEST_F(ReleaseQueueTest, ARepeatedDelIsOneEntry)
{
    ASSERT_TRUE(queue_.add(entry("c1")).has_value());
    ASSERT_TRUE(queue_.add(entry("c1")).has_value());

    EXPECT_EQ(queue_.settle("s1", 10, release(), Deadline::in(1s)), 1U);
    EXPECT_THAT(released_, ElementsAre("c1"));
    EXPECT_EQ(queue_.settle("s1", 10, release(), Deadline::in(1s)), 0U);
    EXPECT_THAT(released_, SizeIs(1));
}

TEST_F(ReleaseQueueTest, ReleasesNothingInAnotherDatastore)
{
    ASSERT_TRUE(queue_.add(entry("c1", "s2")).has_value());

    EXPECT_EQ(queue_.settle("s1", 10, release(), Deadline::in(1s)), 0U);
    EXPECT_TRUE(
        queue_.settle_container("s1", "net1", "c1", release(), Deadline::in(1s)).has_value());
    EXPECT_THAT(released_, IsEmpty());
    EXPECT_THAT(queue_.list(), SizeIs(1));
}

TEST_F(ReleaseQueueTest, MakesNoMoreReleasesThanItMay)
{
    for (const char *container : {"c1", "c2", "c3"})
        ASSERT_TRUE(queue_.add(entry(container)).has_value());

    EXPECT_EQ(queue_.settle("s1", 2, release(), Deadline::in(1s)), 2U);
    EXPECT_THAT(queue_.list(), SizeIs(1));
}

TEST_F(ReleaseQueueTest, KeepsWhatCannotBeReleasedAndStopsWhileTheDatastoreIsAway)
{
    for (const char *container : {"c1", "c2", "c3"})
        ASSERT_TRUE(queue_.add(entry(container)).has_value());
    failure_ = ErrorKind::kTryAgain;

    EXPECT_EQ(queue_.settle("s1", 10, release(), Deadline::in(1s)), 0U);
    EXPECT_THAT(released_, SizeIs(1));
    EXPECT_THAT(queue_.list(), SizeIs(3));
}

TEST_F(ReleaseQueueTest, TriesTheOthersWhenOneIsRefused)
{
    for (const char *container : {"c1", "c2", "c3"})
        ASSERT_TRUE(queue_.add(entry(container)).has_value());
    failure_ = ErrorKind::kSystem;

    EXPECT_EQ(queue_.settle("s1", 10, release(), Deadline::in(1s)), 0U);
    EXPECT_THAT(released_, SizeIs(3));
}

TEST_F(ReleaseQueueTest, AnAddSettlesItsContainerFirstOrFails)
{
    ASSERT_TRUE(queue_.add(entry("c1")).has_value());
    failure_ = ErrorKind::kTryAgain;
    EXPECT_FALSE(
        queue_.settle_container("s1", "net1", "c1", release(), Deadline::in(1s)).has_value());
    failure_.reset();
    EXPECT_TRUE(
        queue_.settle_container("s1", "net1", "c1", release(), Deadline::in(1s)).has_value());
    EXPECT_THAT(queue_.list(), IsEmpty());
    EXPECT_TRUE(
        queue_.settle_container("s1", "net1", "c1", release(), Deadline::in(1s)).has_value());
    EXPECT_THAT(released_, SizeIs(2));
}

TEST_F(ReleaseQueueTest, SetsAsideWhatIsNoWholeEntryAndGoesOn)
{
    ASSERT_TRUE(queue_.add(entry("c1")).has_value());
    std::ofstream(folder_ + "/0000.release") << "tortie 1\nnetwork net1\n";

    EXPECT_EQ(queue_.settle("s1", 10, release(), Deadline::in(1s)), 1U);
    EXPECT_TRUE(std::filesystem::exists(folder_ + "/0000.release.corrupt"));
}

TEST_F(ReleaseQueueTest, LeavesNoFileOfItsOwnBehind)
{
    ASSERT_TRUE(queue_.add(entry("c1")).has_value());
    queue_.settle("s1", 10, release(), Deadline::in(1s));
    EXPECT_EQ(files(), 1U);  // the lock
}

TEST_F(ReleaseQueueTest, CannotAddWhereTheFolderCannotBe)
{
    EXPECT_FALSE(ReleaseQueue("/proc/nowhere").add(entry("c1")).has_value());
}

}  // namespace
}  // namespace tortie::calico
