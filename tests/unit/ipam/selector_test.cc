// SPDX-License-Identifier: Apache-2.0
#include "ipam/selector.h"

#include <gtest/gtest.h>

namespace tortie::ipam {
namespace {

const kube::StringMap kLabels = {
    {"zone", "z1"}, {"team.example.com/name", "shop-1"}, {"empty", ""}};

bool matches(const std::string &text, const kube::StringMap &labels = kLabels)
{
    const auto selector = Selector::parse(text);
    EXPECT_TRUE(selector) << text << ": " << selector.error().what();
    return selector && selector->matches(labels);
}

TEST(Selector, SelectsEverythingWhenEmpty)
{
    for (const char *text : {"", "  ", "all()", " all( ) ", "global()"})
        EXPECT_TRUE(matches(text, {})) << text;
}

TEST(Selector, ComparesALabel)
{
    EXPECT_TRUE(matches("zone == 'z1'"));
    EXPECT_TRUE(matches("zone==\"z1\""));
    EXPECT_FALSE(matches("zone == 'z2'"));
    EXPECT_TRUE(matches("zone != 'z2'"));
    EXPECT_FALSE(matches("zone != 'z1'"));
    EXPECT_TRUE(matches("empty == ''"));
    EXPECT_TRUE(matches("team.example.com/name contains 'op-'"));
    EXPECT_TRUE(matches("team.example.com/name starts with 'shop'"));
    EXPECT_TRUE(matches("team.example.com/name ends with '-1'"));
    EXPECT_FALSE(matches("team.example.com/name ends with 'shop'"));
}

TEST(Selector, LooksIntoSets)
{
    EXPECT_TRUE(matches("zone in {'z0', 'z1'}"));
    EXPECT_FALSE(matches("zone in {}"));
    EXPECT_FALSE(matches("zone not in {'z1'}"));
    EXPECT_TRUE(matches("zone notin {'z0'}"));
}

TEST(Selector, TakesAMissingLabelAsUnequalToEverything)
{
    EXPECT_TRUE(matches("rack != 'r1'"));
    EXPECT_TRUE(matches("rack not in {'r1'}"));
    for (const char *text : {"rack == ''", "rack in {'r1'}", "rack contains ''",
                             "rack starts with ''", "rack ends with ''", "has(rack)"})
        EXPECT_FALSE(matches(text)) << text;
}

TEST(Selector, BindsAndTighterThanOr)
{
    EXPECT_TRUE(matches("has(zone) || has(x) && has(y)"));
    EXPECT_FALSE(matches("(has(zone) || has(x)) && has(y)"));
    EXPECT_TRUE(matches("!has(x) && !!has(zone)"));
    EXPECT_FALSE(matches("!(has(zone) && zone == 'z1')"));
}

TEST(Selector, TakesKeywordsAsLabelsWhereALabelStands)
{
    EXPECT_TRUE(matches("in == 'x'", {{"in", "x"}}));
    EXPECT_TRUE(matches("all == 'x'", {{"all", "x"}}));
    EXPECT_TRUE(matches("inside == 'x'", {{"inside", "x"}}));
}

TEST(Selector, RefusesWhatIsNoSelector)
{
    for (const char *text :
         {"zone ==", "zone = 'z1'", "zone == z1", "zone == 'z1", "(has(zone)", "has(zone))",
          "zone in {'a' 'b'}", "zone in {,}", "&& has(zone)", "has()", "zone", "zone not 'x'",
          "zone containsx 'a'", "\x01", "has(zone) has(x)", "zone starts 'a'"})
        EXPECT_FALSE(Selector::parse(text)) << text;
}

TEST(Selector, IsBoundedInDepthAndLength)
{
    const std::string deep = std::string(60, '(') + "has(zone)" + std::string(60, ')');
    EXPECT_TRUE(matches(deep));
    EXPECT_FALSE(Selector::parse(std::string(100000, '(')));
    EXPECT_FALSE(Selector::parse(std::string(1000, '(') + "has(a)" + std::string(1000, ')')));
    EXPECT_FALSE(Selector::parse(std::string(70000, ' ')));
    EXPECT_TRUE(matches(std::string(60000, '!') + "has(zone)"));
    EXPECT_FALSE(Selector::parse("has(" + std::string(513, 'a') + ")"));
}

TEST(Selector, KnowsWhichTextsNeedNoLabels)
{
    EXPECT_TRUE(selects_all(" all() "));
    EXPECT_TRUE(selects_all(""));
    EXPECT_FALSE(selects_all("has(a)"));
}

}  // namespace
}  // namespace tortie::ipam
