// SPDX-License-Identifier: Apache-2.0
#include "cni/json.h"

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

Json parsed(std::string_view text)
{
    return Json::parse_object(text).value();
}

TEST(Json, FindsKeysWhateverTheirCaseButTheExactOneFirst)
{
    EXPECT_EQ(parsed(R"({"HostPort": 80})").integer("hostPort", 0).value(), 80);
    EXPECT_EQ(parsed(R"({"HOSTPORT": 1, "hostPort": 2})").integer("hostPort", 0).value(), 2);
}

TEST(Json, TakesTheLastValueOfARepeatedKey)
{
    EXPECT_EQ(parsed(R"({"a": 1, "a": 2})").integer("a", 0).value(), 2);
}

TEST(Json, NullAndAbsentAreTheDefault)
{
    const Json json = parsed(R"({"a": null})");
    EXPECT_TRUE(json.boolean("a", true).value());
    EXPECT_EQ(json.string("b").value(), "");
    EXPECT_FALSE(json.optional_integer("a").value().has_value());
    EXPECT_TRUE(json.elements("a").value().empty());
    EXPECT_FALSE(json.object("a").value().present());
}

TEST(Json, NamesTheKeyAndTheTypesWhenOneIsWrong)
{
    const Json json = parsed(R"({"snat": "yes", "port": 1.5, "list": {}, "big": 1e3})");
    EXPECT_EQ(json.boolean("snat", true).error().what(),
              "json: cannot unmarshal string into Go struct field snat of type bool");
    EXPECT_EQ(json.integer("port", 0).error().what(),
              "json: cannot unmarshal number 1.5 into Go struct field port of type int");
    EXPECT_FALSE(json.elements("list").has_value());
    EXPECT_FALSE(json.integer("big", 0).has_value());
}

TEST(Json, RefusesIntegersThatDoNotFit)
{
    EXPECT_FALSE(parsed(R"({"n": 9223372036854775808})").integer("n", 0).has_value());
    EXPECT_EQ(parsed(R"({"n": -9223372036854775808})").integer("n", 0).value(), INT64_MIN);
}

TEST(Json, RefusesWhatIsNotOneObject)
{
    for (const char *text :
         {"", "[]", "7", "{} {}", "{}x", "{\"a\":\xff}", "{\"a\":}", "nul", "\xef\xbb\xbf{}"})
        EXPECT_FALSE(Json::parse_object(text).has_value()) << text;
}

TEST(Json, ReadsWhatIsNoCharacterAsItsReplacement)
{
    const auto read = [](std::string_view inside) {
        const std::string text = "{\"a\":\"" + std::string(inside) + "\"}";
        return Json::parse_object(text).value().string("a").value();
    };
    EXPECT_EQ(read("x\xffy"), "x\ufffdy");
    EXPECT_EQ(read("\xe2\x82"), "\ufffd\ufffd");
    EXPECT_EQ(read("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
    EXPECT_EQ(read(R"(\ud800)"), "\ufffd");
    EXPECT_EQ(read(R"(\udc00x\ud83d)"), "\ufffdx\ufffd");
    EXPECT_EQ(read("\xff\xf0\x9f\x98\x80"
                   R"(\ud83d\ude00\\ud800\n)"),
              "\ufffd\U0001F600\U0001F600\\ud800\n");
}

TEST(Json, RefusesDeepNestingButNotBracketsInStrings)
{
    const auto nested = [](std::size_t levels) {
        return R"({"a": )" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + '}';
    };
    EXPECT_TRUE(Json::parse_object(nested(64)).has_value());
    EXPECT_FALSE(Json::parse_object(nested(65)).has_value());
    EXPECT_FALSE(Json::parse_object(std::string(1 << 20, '[')).has_value());
    EXPECT_TRUE(Json::parse_object(R"({"a": "\"[[[[)" + std::string(100, '[') + "\"}").has_value());
}

TEST(Json, KeepsParserMessagesShort)
{
    const auto json = Json::parse_object("{\"" + std::string(100'000, 'x'));
    ASSERT_FALSE(json.has_value());
    EXPECT_LT(json.error().what().size(), 400U);
}

TEST(Json, AMemberOutlivesItsDocument)
{
    Json inner;
    {
        inner = parsed(R"({"a": {"b": "c"}})").at("a");
    }
    EXPECT_EQ(inner.string("b").value(), "c");
}

TEST(Json, ReadsArraysInArrays)
{
    const Json object = Json::parse_object(R"({"a": [["x", "y"], null, "z"]})").value();

    const auto lists = object.elements("a").value();
    ASSERT_EQ(lists.size(), 3U);
    EXPECT_EQ(lists[0].as_elements().value().at(1).as_string().value(), "y");
    EXPECT_TRUE(lists[1].as_elements().value().empty());
    EXPECT_EQ(lists[2].as_elements().error().what(),
              "json: cannot unmarshal string into Go value of type array");
}

TEST(RepeatedKeys, SeesThemInTheNamedObjectOnly)
{
    EXPECT_TRUE(has_repeated_keys(R"({"sysctl": {"a": "1", "b": "2", "a": "3"}})", "sysctl"));
    EXPECT_TRUE(has_repeated_keys(R"({"sysctl": {"a": "1"}, "Sysctl": {"a": "1"}})", "sysctl"));
    EXPECT_FALSE(has_repeated_keys(R"({"sysctl": {"a": "1", "b": "2"}})", "sysctl"));
    EXPECT_FALSE(has_repeated_keys(R"({"other": {"a": "1", "a": "2"}, "sysctl": {}})", "sysctl"));
    EXPECT_FALSE(has_repeated_keys(R"({"x": {"sysctl": {"a": "1", "a": "2"}}})", "sysctl"));
    EXPECT_FALSE(has_repeated_keys(R"({"sysctl": {"a": {"b": 1, "b": 2}}})", "sysctl"));
}

TEST(JsonWriter, EscapesWhatGoEscapes)
{
    EXPECT_EQ(JsonWriter().set("a", "<&>\xe2\x80\xa8\xc3\xa9").text(-1),
              "{\"a\":\"\\u003c\\u0026\\u003e\\u2028\xc3\xa9\"}");
    EXPECT_EQ(JsonWriter().set("a", "\xff").text(-1), "{\"a\":\"\xef\xbf\xbd\"}");
}

TEST(JsonWriter, KeepsTheOrderOfTheCalls)
{
    EXPECT_EQ(JsonWriter().set("z", std::int64_t{1}).set("a", true).text(1),
              "{\n \"z\": 1,\n \"a\": true\n}");
}

TEST(JsonWith, ReplacesAValueInACopy)
{
    const Json before =
        Json::parse_object(R"({"b": 1, "ipam": {"Type": "x", "ranges": [[{"subnet": "s"}]]}})")
            .value();

    const Json after = before.with("/ipam/ranges/0/0/subnet", Json::of("10.0.0.0/24"))
                           .value()
                           .with("/ipam/type", Json::of("y"))
                           .value()
                           .with("/ipam/pools", Json::of(std::vector<std::string>{"a", "b"}))
                           .value();

    EXPECT_EQ(after.go_text(), R"({"b":1,"ipam":{"Type":"y","pools":["a","b"],)"
                               R"("ranges":[[{"subnet":"10.0.0.0/24"}]]}})");
    EXPECT_EQ(before.at("ipam").string("type").value(), "x");
}

TEST(JsonWith, RefusesAWayThatEndsEarly)
{
    const Json json = Json::parse_object(R"({"a": [1], "b": "text"})").value();

    EXPECT_FALSE(json.with("/a/1", Json::of("x")));
    EXPECT_FALSE(json.with("/b/c", Json::of("x")));
    EXPECT_FALSE(json.with("/c/d", Json::of("x")));
}

TEST(JsonText, IsEscapedAsGoDoes)
{
    EXPECT_EQ(Json::parse_object(R"({"b": 12345678901234, "a": "<&>"})")->go_text(),
              R"({"a":"\u003c\u0026\u003e","b":12345678901234})");
}

}  // namespace
}  // namespace tortie::cni
