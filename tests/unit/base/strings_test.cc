// SPDX-License-Identifier: Apache-2.0
#include "base/strings.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace tortie {
namespace {

using Pieces = std::vector<std::string_view>;

TEST(Split, KeepsEmptyPieces)
{
    EXPECT_EQ(split("a::b", ':'), (Pieces{"a", "", "b"}));
    EXPECT_EQ(split("", ':'), (Pieces{""}));
    EXPECT_EQ(split("a:", ':'), (Pieces{"a", ""}));
}

TEST(Words, DropsWhiteSpaceOfEveryKind)
{
    EXPECT_EQ(words(" a\t\tb\r\n"), (Pieces{"a", "b"}));
    EXPECT_EQ(words(" \n"), Pieces{});
}

TEST(Trim, LeavesTheMiddleAlone)
{
    EXPECT_EQ(trim("\t a b \n"), "a b");
    EXPECT_EQ(trim("   "), "");
}

TEST(ParseNumber, TakesTheWholeTextInRange)
{
    EXPECT_EQ(parse_number<std::uint8_t>("255"), 255);
    for (const char *text : {"256", "-1", "", "1 ", " 1", "+1", "0x1", "1.0"})
        EXPECT_FALSE(parse_number<std::uint8_t>(text)) << text;
    EXPECT_EQ(parse_number<int>("-12"), -12);
}

TEST(EqualsIgnoreCase, ComparesLengthsToo)
{
    EXPECT_TRUE(equals_ignore_case("HostPort", "hostport"));
    EXPECT_FALSE(equals_ignore_case("HostPort", "hostports"));
}

}  // namespace
}  // namespace tortie
