// SPDX-License-Identifier: Apache-2.0
#include "kube/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string one(std::string_view yaml)
{
    const auto documents = yaml_to_json(yaml);
    if (!documents)
        return documents.error().what();
    return documents->size() == 1 ? documents->front() : "not one document";
}

TEST(Yaml, BecomesJson)
{
    EXPECT_EQ(one("kind: IPPool\nspec:\n  cidr: 10.0.0.0/16\n  blockSize: 26\n  uses: [A, \"B\"]\n"
                  "  empty: {}\n  none:\n  list:\n  - a: 1\n    b: 2\n  - c\n"),
              R"({"kind":"IPPool","spec":{"cidr":"10.0.0.0/16","blockSize":26,"uses":["A","B"],)"
              R"("empty":{},"none":null,"list":[{"a":1,"b":2},"c"]}})");
}

TEST(Yaml, JsonPassesThrough)
{
    const std::string json = R"({"a":[1,-2.5,true,null,"x\"\\"],"b":{}})";
    EXPECT_EQ(one(json), json);
}

TEST(Yaml, ResolvesPlainScalarsAsGoDoes)
{
    EXPECT_EQ(one("[yes, No, on, ~, null, true, 0x1f, 017, 0o17, +7, -3, 1e3, .5, 1.50]"),
              "[true,false,true,null,null,true,31,15,15,7,-3,1000,0.5,1.5]");
    EXPECT_EQ(one("[1.2.3.4, fd00::1, 10.0.0.0/8, 1h, v1, 0x, 09, 2026-01-01, 1e, .inf]"),
              R"(["1.2.3.4","fd00::1","10.0.0.0/8","1h","v1","0x","09","2026-01-01","1e",".inf"])");
    EXPECT_EQ(one("['1', \"true\", !!str 5]"), R"(["1","true","5"])");
    EXPECT_EQ(one("a: |-\n  1\n  2\n"), R"({"a":"1\u000a2"})");
    EXPECT_EQ(one("{1: a, true: b}"), R"({"1":"a","true":"b"})");
}

TEST(Yaml, EscapesWhatJsonMustEscape)
{
    EXPECT_EQ(one(R"(a: "tab\tquote\"bell\a")"), R"({"a":"tab\u0009quote\"bell\u0007"})");
}

TEST(Yaml, GivesEachDocumentOfAStream)
{
    const auto documents = yaml_to_json("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n");
    ASSERT_TRUE(documents.has_value());
    EXPECT_THAT(*documents, ElementsAre(R"({"a":1})", R"({"b":2})"));
    EXPECT_THAT(yaml_to_json("").value(), IsEmpty());
}

TEST(Yaml, RefusesWithAPlace)
{
    EXPECT_THAT(one("a: 1\nb: [1"), HasSubstr("line "));
    EXPECT_THAT(one("a: &x 1\nb: *x\n"), HasSubstr("aliases are not supported"));
    EXPECT_THAT(one("{[a]: 1}"), HasSubstr("a key that is no text"));
    EXPECT_THAT(one(std::string(100, '[') + std::string(100, ']')), HasSubstr("too deeply"));
    EXPECT_THAT(one(std::string_view("a: \xff\xfe", 5)), HasSubstr("line 1"));
    EXPECT_THAT(one(std::string(kMaxYamlBytes + 1, ' ')), HasSubstr("4 MiB"));
}

}  // namespace
}  // namespace tortie::kube
