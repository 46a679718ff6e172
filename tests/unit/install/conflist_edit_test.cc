// SPDX-License-Identifier: Apache-2.0
#include "install/conflist_edit.h"

#include <string>

#include <gtest/gtest.h>

namespace tortie::installer {
namespace {

constexpr const char *kList =
    "{\n  \"plugins\": [\n    {\"type\": \"calico\", \"ipam\": {\"type\": \"portmap\"}},\n"
    "    {\n      \"type\": \"portmap\",\n      \"snat\": true\n    }\n  ]\n}";

TEST(ConflistEdit, AddsOneKeyToPortmapAndNothingElse)
{
    const std::string list(kList);
    const std::string edited = with_datapath(list, "ebpf");

    const std::string added = "\"datapath\": \"ebpf\", ";
    const std::size_t at = edited.find(added);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(edited.substr(at - 1, 1), "{");
    EXPECT_GT(at, edited.find("calico"));
    EXPECT_EQ(datapath_in(edited), "ebpf");
    std::string without = edited;
    EXPECT_EQ(without.erase(at, added.size()), list);
}

TEST(ConflistEdit, TakesAwayWhatItAdded)
{
    EXPECT_EQ(with_datapath(with_datapath(kList, "netfilter"), ""), kList);
}

TEST(ConflistEdit, ReplacesAWordThatIsThereAndKeepsOneOfOthers)
{
    const std::string theirs = R"({"plugins":[{"type":"portmap","datapath":"ebpf"}]})";

    EXPECT_EQ(with_datapath(theirs, "netfilter"),
              R"({"plugins":[{"type":"portmap","datapath":"netfilter"}]})");
    EXPECT_EQ(with_datapath(theirs, ""), theirs);
}

TEST(ConflistEdit, IsNotLedAstrayByTextThatLooksLikeIt)
{
    for (const std::string other :
         {R"({"plugins":[{"type":"calico","x":{"type":"portmap"}}]})",
          R"({"type":"portmap","plugins":[]})", R"({"list":[{"type":"portmap"}]})",
          R"({"plugins":[{"name":"\"type\":\"portmap\""}]})", R"({"plugins":[["type","portmap"]]})",
          R"({"plugins":[{"a":["type","portmap"],"type":"x"}]})", "no JSON", ""}) {
        EXPECT_EQ(with_datapath(other, "ebpf"), other);
        EXPECT_EQ(datapath_in(other), "") << other;
    }
}

TEST(ConflistEdit, FindsPortmapWhereverItStandsInItsObject)
{
    EXPECT_EQ(
        with_datapath(R"({"x":[1,{"a":2}],"plugins":[{"a":{"b":[]},"type":"portmap"}]})", "ebpf"),
        R"({"x":[1,{"a":2}],"plugins":[{"datapath": "ebpf", "a":{"b":[]},"type":"portmap"}]})");
}

}  // namespace
}  // namespace tortie::installer
