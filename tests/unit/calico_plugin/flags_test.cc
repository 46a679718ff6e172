// SPDX-License-Identifier: Apache-2.0
#include "calico/flags.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace tortie::calico_cni {
namespace {

constexpr std::array kFlags = {
    Flag{.name = "apply", .help = "Load documents", .value_name = "file"},
    Flag{.name = "v", .help = "Display version", .value_name = {}}};

tl::expected<Flags, FlagRefusal> parse(const std::vector<const char *> &arguments)
{
    return parse_flags("Calico", kFlags, arguments);
}

TEST(Flags, ReadsSwitchesWithOneDashOrTwo)
{
    EXPECT_TRUE(parse({"-v"})->has("v"));
    EXPECT_TRUE(parse({"--v"})->has("v"));
    EXPECT_TRUE(parse({"-v=true"})->has("v"));
    EXPECT_FALSE(parse({"-v=0"})->has("v"));
    EXPECT_FALSE(parse({})->has("v"));
}

TEST(Flags, ReadsAValueFromTheSameArgumentOrTheNextOne)
{
    EXPECT_EQ(parse({"-apply=a.yaml"})->value("apply"), "a.yaml");
    EXPECT_EQ(parse({"-apply", "-"})->value("apply"), "-");
}

TEST(Flags, EndsAtTheFirstArgumentThatIsNone)
{
    // A caller of DEL passes the configuration once more as an argument.
    EXPECT_FALSE(parse({R"({"name":"net1"})", "-v"})->has("v"));
    EXPECT_FALSE(parse({"--", "-v"})->has("v"));
    EXPECT_FALSE(parse({"-", "-v"})->has("v"));
}

TEST(Flags, RefusesAnUnknownOneWithUsageAndStatus2)
{
    const auto refused = parse({"-version"});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 2);
    EXPECT_EQ(refused.error().text,
              "flag provided but not defined: -version\n"
              "Usage of Calico:\n"
              "  -apply file\n"
              "    \tLoad documents\n"
              "  -v\tDisplay version\n");
}

TEST(Flags, ShowsUsageWithoutAFailureWhenAsked)
{
    EXPECT_EQ(parse({"-h"}).error().status, 0);
    EXPECT_EQ(parse({"--help"}).error().status, 0);
}

TEST(Flags, RefusesAMissingValueAndOneThatIsNoBoolean)
{
    EXPECT_TRUE(
        parse({"-apply"}).error().text.starts_with("flag needs an argument: -apply\nUsage of"));
    EXPECT_TRUE(parse({"-v=maybe"})
                    .error()
                    .text.starts_with("invalid boolean value \"maybe\" for -v: parse error\n"));
    EXPECT_TRUE(parse({"---v"}).error().text.starts_with("bad flag syntax: ---v\n"));
}

}  // namespace
}  // namespace tortie::calico_cni
