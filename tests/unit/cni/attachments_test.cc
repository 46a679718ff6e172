// SPDX-License-Identifier: Apache-2.0
#include "cni/attachments.h"

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

auto attachments_in(std::string_view text)
{
    return valid_attachments(Json::parse_object(text).value());
}

TEST(ValidAttachments, ReadsTheSpecifiedKeyBeforeTheEarlySpelling)
{
    const auto got = attachments_in(R"({
        "cni.dev/attachments": [],
        "cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]})");
    ASSERT_TRUE(got.has_value() && got->has_value());
    ASSERT_EQ((*got)->size(), 1U);
    EXPECT_EQ((*got)->front().container_id, "c1");
    EXPECT_EQ((*got)->front().ifname, "eth0");
}

TEST(ValidAttachments, TellsAnAbsentListFromAnEmptyOne)
{
    EXPECT_FALSE(attachments_in("{}")->has_value());
    EXPECT_TRUE(attachments_in(R"({"cni.dev/attachments": []})")->has_value());
}

TEST(ValidAttachments, RefusesAListOfSomethingElse)
{
    EXPECT_FALSE(attachments_in(R"({"cni.dev/valid-attachments": {"c1": "eth0"}})").has_value());
    EXPECT_FALSE(attachments_in(R"({"cni.dev/attachments": [null]})").has_value());
    EXPECT_FALSE(attachments_in(R"({"cni.dev/attachments": [5]})").has_value());
    EXPECT_FALSE(
        attachments_in(R"({"cni.dev/valid-attachments": [{"containerID": 7}]})").has_value());
}

}  // namespace
}  // namespace tortie::cni
