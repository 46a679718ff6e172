// SPDX-License-Identifier: Apache-2.0
#include "cni/args.h"

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

std::string error_of(std::string_view text)
{
    const auto args = parse_args(text, {"IP"});
    return args ? "" : args.error().what();
}

TEST(Args, TakesKnownKeysInAnyOrderWhenUnknownOnesAreIgnored)
{
    const auto args = parse_args("K8S_POD_NAME=web;IP=10.0.0.7;IgnoreUnknown=1", {"IP"});
    ASSERT_TRUE(args.has_value());
    EXPECT_EQ(args->size(), 1U);
    EXPECT_EQ(args->at("IP"), "10.0.0.7");
}

TEST(Args, AcceptsNothingAtAll)
{
    EXPECT_TRUE(parse_args("", {"IP"}).has_value());
}

TEST(Args, RefusesPairsWithoutExactlyOneEqualsSign)
{
    EXPECT_EQ(error_of("IP"), "ARGS: invalid pair \"IP\"");
    EXPECT_EQ(error_of("IP=1=2"), "ARGS: invalid pair \"IP=1=2\"");
    EXPECT_EQ(error_of("IP=10.0.0.1;"), "ARGS: invalid pair \"\"");
}

TEST(Args, ListsUnknownKeysUnlessTheyAreIgnored)
{
    EXPECT_EQ(error_of("A=1;IP=10.0.0.1;B=2"), "ARGS: unknown args [\"A=1\" \"B=2\"]");
    EXPECT_EQ(error_of("IgnoreUnknown=false;A=1"), "ARGS: unknown args [\"A=1\"]");
    EXPECT_EQ(error_of("A=1;IgnoreUnknown=TRUE"), "");
    EXPECT_EQ(error_of("A=\x01;B=\""), R"(ARGS: unknown args ["A=\x01" "B=\""])");
    EXPECT_EQ(error_of("ip=10.0.0.1"), "ARGS: unknown args [\"ip=10.0.0.1\"]");
}

TEST(Args, RefusesABooleanThatIsNone)
{
    EXPECT_EQ(error_of("IgnoreUnknown=Maybe"),
              "ARGS: error parsing value of pair \"IgnoreUnknown=Maybe\": boolean unmarshal error: "
              "invalid input maybe");
}

}  // namespace
}  // namespace tortie::cni
