// SPDX-License-Identifier: Apache-2.0
#include "sys/nf_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sys/nf_tables_batch.h"
#include "sys/nf_tables_wire.h"

namespace tortie::nft {
namespace {

using testing::ElementsAre;

TEST(NfTablesFields, StartEachFieldAtAMultipleOfFourBytes)
{
    const Fields fields =
        Fields().add(*IpAddr::parse("10.0.0.1")).add_proto(6).add_port(8080).add_mark(7);

    EXPECT_THAT(std::vector(fields.bytes().begin(), fields.bytes().begin() + 12),
                ElementsAre(10, 0, 0, 1, 6, 0, 0, 0, 0x1f, 0x90, 0, 0));
    EXPECT_EQ(fields.address(Family::kIpv4, 0).to_string(), "10.0.0.1");
    EXPECT_EQ(fields.proto(4), 6);
    EXPECT_EQ(fields.port(8), 8080);
    EXPECT_EQ(fields.mark(12), 7u);
}

TEST(NfTablesFields, ReadZerosBeyondTheirEnd)
{
    const Fields fields = Fields().add_proto(6);

    EXPECT_EQ(fields.address(Family::kIpv6, 0).to_string(), "::");
    EXPECT_EQ(fields.port(4), 0);
    EXPECT_EQ(fields.mark(4), 0u);
    EXPECT_EQ(fields.proto(4), 0);
}

TEST(NfTablesComment, IsReadBackAsItWasWritten)
{
    EXPECT_EQ(comment_of(comment_user_data("podman ctr eth0")), "podman ctr eth0");
}

TEST(NfTablesComment, IsCutToWhatNftReloads)
{
    EXPECT_EQ(comment_of(comment_user_data(std::string(300, 'x'))), std::string(127, 'x'));
}

TEST(NfTablesComment, IsFoundBehindOtherUserData)
{
    const std::string other{1, 4, 0, 0, 0, 1};

    EXPECT_EQ(comment_of(other + comment_user_data("us")), "us");
}

TEST(NfTablesComment, IsEmptyWhereALengthRunsOutOfTheData)
{
    EXPECT_EQ(comment_of(std::string{0, 9, 'x', 0}), "");
    EXPECT_EQ(comment_of(std::string{0}), "");
    EXPECT_EQ(comment_of({}), "");
}

TEST(NfTablesBatch, IsEmptyUntilAStepIsAdded)
{
    Batch batch({.family = TableFamily::kInet, .name = "t"}, 1);
    EXPECT_TRUE(batch.empty());

    batch.add_elements("s", {});
    EXPECT_TRUE(batch.empty());

    batch.add_table();
    EXPECT_FALSE(batch.empty());
}

}  // namespace
}  // namespace tortie::nft
