// SPDX-License-Identifier: Apache-2.0
#include "ipam/block.h"

#include "ipam/timestamp.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Reservations kNone;
const Owner kPod{"net.c1", {{"pod", "a"}, {"namespace", "shop"}, {"node", "node-a"}}};
const Owner kOther{"net.c2", {{"pod", "b"}}};

// Eight addresses.
class BlockTest : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_THAT(faults_of(block), IsEmpty()); }

    store::Block block = fresh_block(cidr("10.80.3.8/29"), "node-a");
};

using BlockArithmetic = BlockTest;

TEST_F(BlockArithmetic, StartsWithEverythingFreeInOrder)
{
    EXPECT_EQ(block.affinity, "host:node-a");
    EXPECT_THAT(block.unallocated, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
    EXPECT_TRUE(is_empty(block));
    EXPECT_TRUE(block.attributes.empty());
    EXPECT_GT(block.sequence_number, 1'700'000'000'000'000'000);
    EXPECT_TRUE(parse_rfc3339(block.claim_time));
}

TEST_F(BlockArithmetic, TakesFromTheHeadAndFreesToTheTail)
{
    EXPECT_THAT(take(block, 2, kPod, kNone), ElementsAre(0, 1));
    EXPECT_THAT(release_handle(block, kPod.handle, {}), ElementsAre(0, 1));
    EXPECT_THAT(block.unallocated, ElementsAre(2, 3, 4, 5, 6, 7, 0, 1));
    EXPECT_THAT(take(block, 7, kOther, kNone), ElementsAre(2, 3, 4, 5, 6, 7, 0));
}

TEST_F(BlockArithmetic, NotesTheNumberThatWasRead)
{
    block.sequence_number = 100;
    take(block, 1, kPod, kNone);
    count_write(block);

    EXPECT_EQ(block.sequence_number, 101);
    EXPECT_EQ(block.sequence_for_allocation.at(0), 100);
}

TEST_F(BlockArithmetic, SharesARecordAmongEqualOwnersOnly)
{
    take(block, 1, kPod, kNone);
    take(block, 1, kOther, kNone);
    take(block, 1, kPod, kNone);

    EXPECT_EQ(block.attributes.size(), 2U);
    EXPECT_THAT(held_by(block, "net.c1"), ElementsAre(0, 2));
}

TEST_F(BlockArithmetic, KeepsASharedRecordUntilItsLastAddressGoes)
{
    take(block, 2, kPod, kNone);
    take(block, 1, kOther, kNone);

    ASSERT_TRUE(release_ordinals(block, {{0, "net.c1", std::nullopt}}, {}));
    EXPECT_EQ(block.attributes.size(), 2U);
    ASSERT_TRUE(release_ordinals(block, {{1, "net.c1", std::nullopt}}, {}));

    EXPECT_EQ(block.attributes.size(), 1U);
    EXPECT_EQ(block.allocations[2], 0U);
    EXPECT_THAT(block.unallocated, ElementsAre(3, 4, 5, 6, 7, 0, 1));
}

TEST_F(BlockArithmetic, ReleasesAHandleThatHasSeveralRecords)
{
    take(block, 1, kPod, kNone);
    take(block, 1, {kPod.handle, {{"pod", "z"}}}, kNone);

    EXPECT_THAT(release_handle(block, kPod.handle, {}), ElementsAre(0, 1));
    EXPECT_THAT(release_handle(block, kPod.handle, {}), IsEmpty());
    EXPECT_TRUE(block.attributes.empty());
    EXPECT_TRUE(block.sequence_for_allocation.empty());
}

TEST_F(BlockArithmetic, ReleasesAnAddressNamedTwiceOnce)
{
    take(block, 1, kPod, kNone);

    const auto done = release_ordinals(block, {{0, "", std::nullopt}, {0, "", std::nullopt}}, {});

    ASSERT_TRUE(done);
    EXPECT_THAT(done->released, ElementsAre(0));
    EXPECT_EQ(done->handles.at("net.c1"), 1);
    EXPECT_EQ(block.unallocated.size(), 8U);
}

TEST_F(BlockArithmetic, RefusesTheWrongSequenceNumberAndChangesNothing)
{
    take(block, 2, kPod, kNone);
    block.sequence_for_allocation[1] = 5;
    const store::Block before = block;

    const auto done = release_ordinals(block, {{0, "", std::nullopt}, {1, "net.c1", 4}}, {});

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind(), ErrorKind::kConflict);
    EXPECT_EQ(done.error().what(),
              "the given sequence number (4) does not match (5) when attempting to release IP");
    EXPECT_EQ(block.allocations, before.allocations);
    EXPECT_EQ(block.unallocated, before.unallocated);
}

TEST_F(BlockArithmetic, TakesAMissingSequenceEntryAsZero)
{
    take(block, 1, kPod, kNone);
    block.sequence_for_allocation.clear();

    EXPECT_TRUE(release_ordinals(block, {{0, "net.c1", 0}}, {}));
}

TEST_F(BlockArithmetic, RefusesTheWrongHandle)
{
    take(block, 1, kPod, kNone);

    const auto done = release_ordinals(block, {{0, "net.c2", std::nullopt}}, {});

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind(), ErrorKind::kInvalidInput);
}

TEST_F(BlockArithmetic, ReportsFreeAndCoolingAddressesAsUnallocated)
{
    take(block, 1, kPod, kNone);
    release_handle(block, kPod.handle, {30, 1000});

    const auto done =
        release_ordinals(block, {{0, "net.c1", 3}, {5, "", std::nullopt}}, {30, 1000});

    ASSERT_TRUE(done);
    EXPECT_THAT(done->unallocated, ElementsAre(0, 5));
    EXPECT_FALSE(is_empty(block));
}

TEST_F(BlockArithmetic, ComparesHandlesUpToACarriageReturn)
{
    take(block, 1, {"net.c1\r\neth0", {}}, kNone);

    EXPECT_THAT(held_by(block, "net.c1"), ElementsAre(0));
    EXPECT_THAT(release_handle(block, "net.c1", {}), ElementsAre(0));
}

TEST_F(BlockArithmetic, TakesOneAddressFromTheMiddle)
{
    EXPECT_TRUE(take_one(block, 4, kPod));
    EXPECT_FALSE(take_one(block, 4, kOther));
    EXPECT_FALSE(take_one(block, 8, kOther));
    EXPECT_THAT(block.unallocated, ElementsAre(0, 1, 2, 3, 5, 6, 7));
}

TEST_F(BlockArithmetic, IsEmptyWithNothingButWindowsReservations)
{
    take(block, 3, {"Windows-Reserved-IPAM-Handle", {{"note", "windows host rsvd"}}}, kNone);
    EXPECT_TRUE(is_empty(block));
    take(block, 1, kPod, kNone);
    EXPECT_FALSE(is_empty(block));
}

TEST_F(BlockArithmetic, LetsReleasedAddressesCoolDown)
{
    take(block, 2, kPod, kNone);
    take(block, 1, kOther, kNone);

    release_handle(block, kPod.handle, {30, 1000});

    EXPECT_THAT(block.unallocated, ElementsAre(3, 4, 5, 6, 7));
    EXPECT_EQ(record_of(block, 0)->released_at, rfc3339(1000));
    EXPECT_THAT(held_by(block, kPod.handle), IsEmpty());

    tidy(block, {30, 1030});
    EXPECT_TRUE(is_held(block, 0));
    tidy(block, {30, 1031});
    EXPECT_FALSE(is_held(block, 0));
    EXPECT_THAT(block.unallocated, ElementsAre(3, 4, 5, 6, 7, 0, 1));
    EXPECT_EQ(block.attributes.size(), 1U);
}

TEST_F(BlockArithmetic, WritesNoReleaseTimeWithoutACooldown)
{
    take(block, 1, kPod, kNone);
    release_handle(block, kPod.handle, {0, 1000});
    EXPECT_TRUE(is_empty(block));
    EXPECT_TRUE(block.attributes.empty());
}

TEST_F(BlockArithmetic, FreesWhatCooledInThePastWhenNoCooldownIsSet)
{
    take(block, 1, kPod, kNone);
    release_handle(block, kPod.handle, {30, 1000});
    tidy(block, {0, 1001});
    EXPECT_TRUE(is_empty(block));
}

TEST_F(BlockArithmetic, KeepsAnAddressWhoseReleaseTimeIsNonsense)
{
    take(block, 1, kPod, kNone);
    block.attributes[0] = {};
    block.attributes[0].released_at = "yesterday";
    tidy(block, {0, 2'000'000'000});
    EXPECT_TRUE(is_held(block, 0));
}

TEST_F(BlockArithmetic, NeverFreesARecordThatLostItsTimeToAnOldPeer)
{
    take(block, 1, kPod, kNone);
    block.attributes[0] = {};

    tidy(block, {0, 2'000'000'000});

    EXPECT_TRUE(is_held(block, 0));
    EXPECT_FALSE(is_empty(block));
    EXPECT_THAT(take(block, 8, kOther, kNone), ElementsAre(1, 2, 3, 4, 5, 6, 7));
}

TEST_F(BlockArithmetic, AcceptsAndCleansWhatOldReleasesLeave)
{
    block.sequence_for_allocation = {{0, 7}, {3, 9}};
    block.attributes.push_back({"net.gone", std::nullopt, std::nullopt, "", ""});
    EXPECT_THAT(faults_of(block), IsEmpty());

    take(block, 1, kPod, kNone);
    tidy(block, {});

    EXPECT_EQ(block.attributes.size(), 1U);
    EXPECT_EQ(block.allocations[0], 0U);
    EXPECT_EQ(block.sequence_for_allocation.size(), 1U);
}

TEST(BrokenBlock, NeverGivesAnAddressWithoutRecordToSomebody)
{
    store::Block block = fresh_block(cidr("10.80.3.8/29"), "node-a");
    block.allocations[0] = 7;  // there is no such record
    std::erase(block.unallocated, 0U);
    EXPECT_FALSE(is_empty(block));
    EXPECT_THAT(faults_of(block), ElementsAre("10.80.3.8 has no record"));

    EXPECT_THAT(take(block, 1, kPod, kNone), ElementsAre(1));

    EXPECT_THAT(held_by(block, kPod.handle), ElementsAre(1));
    EXPECT_THAT(release_handle(block, kPod.handle, {}), ElementsAre(1));
    EXPECT_TRUE(is_held(block, 0));
}

TEST(BrokenBlock, NeverHandsOutAHeldAddressThatIsListedAsFree)
{
    store::Block block = fresh_block(cidr("10.80.3.8/29"), "node-a");
    take(block, 1, kPod, kNone);
    block.unallocated.insert(block.unallocated.begin(), 0);
    EXPECT_THAT(faults_of(block), ElementsAre("10.80.3.8 is held and listed as free"));

    EXPECT_EQ(free_count(block, kNone), 7U);
    EXPECT_THAT(take(block, 1, kOther, kNone), ElementsAre(1));
}

TEST(BrokenBlock, IsNamedByItsFaults)
{
    store::Block block = fresh_block(cidr("10.80.3.8/30"), "node-a");
    block.unallocated = {0, 0, 9, 1};
    EXPECT_THAT(faults_of(block),
                ElementsAre("lists the impossible ordinal 9", "10.80.3.8 is listed as free twice",
                            "10.80.3.10 is neither held nor listed as free",
                            "10.80.3.11 is neither held nor listed as free"));
    EXPECT_THAT(take(block, 9, kPod, kNone), ElementsAre(0, 1));
}

TEST(Timestamp, ReadsWhatOthersWrite)
{
    EXPECT_EQ(rfc3339(1787393472), "2026-08-22T10:11:12Z");
    EXPECT_EQ(parse_rfc3339("2026-08-22T10:11:12Z"), 1787393472);
    EXPECT_EQ(parse_rfc3339("2026-08-22T12:11:12.123456789+02:00"), 1787393472);
    for (const char *text :
         {"", "2026-08-22", "2026-08-22T10:11:12", "2026-13-22T10:11:12Z", "2026-08-22T10:11:12Zx",
          "2026-08-22 10:11:12Z", "x026-08-22T10:11:12Z"})
        EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
}

}  // namespace
}  // namespace tortie::ipam
