// SPDX-License-Identifier: Apache-2.0
#include "cni/environment.h"

#include <map>

#include <gtest/gtest.h>

namespace tortie::cni {
namespace {

using Variables = std::map<std::string, std::string>;

auto environment_of(Variables variables)
{
    return read_environment([variables = std::move(variables)](const char *name) {
        const auto it = variables.find(name);
        return it == variables.end() ? nullptr : it->second.c_str();
    });
}

std::string refusal(const Variables &changed)
{
    Variables variables = {{"CNI_COMMAND", "ADD"},
                           {"CNI_CONTAINERID", "c1"},
                           {"CNI_NETNS", "/n"},
                           {"CNI_IFNAME", "eth0"},
                           {"CNI_PATH", "/bin"}};
    for (const auto &[name, value] : changed)
        variables[name] = value;
    const auto env = environment_of(variables);
    if (env)
        return "";
    EXPECT_EQ(env.error().code, Code::kInvalidEnvironment);
    return env.error().msg + (env.error().details.empty() ? "" : "|" + env.error().details);
}

TEST(Environment, CollectsWhatIsMissingInOneMessage)
{
    const auto env = environment_of({{"CNI_COMMAND", "ADD"}, {"CNI_NETNS", "/n"}});
    ASSERT_FALSE(env.has_value());
    EXPECT_EQ(env.error().msg,
              "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing");
}

TEST(Environment, DelNeedsNoNamespaceAndStatusOnlyAPath)
{
    EXPECT_EQ(refusal({{"CNI_COMMAND", "DEL"}, {"CNI_NETNS", ""}}), "");
    EXPECT_TRUE(environment_of({{"CNI_COMMAND", "STATUS"}, {"CNI_PATH", "/bin"}}).has_value());
    EXPECT_FALSE(environment_of({{"CNI_COMMAND", "GC"}}).has_value());
}

TEST(Environment, RefusesContainerIdsThatArePathsOrRules)
{
    EXPECT_EQ(refusal({{"CNI_CONTAINERID", "../x"}}), "invalid characters in containerID|../x");
    EXPECT_EQ(refusal({{"CNI_CONTAINERID", "a b"}}), "invalid characters in containerID|a b");
    EXPECT_EQ(refusal({{"CNI_CONTAINERID", "a\n-j ACCEPT"}}),
              "invalid characters in containerID|a\n-j ACCEPT");
}

TEST(Environment, RefusesInterfaceNamesTheKernelWouldNotTake)
{
    EXPECT_EQ(refusal({{"CNI_IFNAME", "sixteen-letters-"}}),
              "interface name is too long|interface name should be less than 16 characters");
    EXPECT_EQ(refusal({{"CNI_IFNAME", ".."}}), "interface name is . or ..");
    for (const char *name : {"a/b", "a:b", "a b", "a\tb", "a\xc2\xa0z", "a\xe3\x80\x80z"})
        EXPECT_EQ(refusal({{"CNI_IFNAME", name}}),
                  "interface name contains / or : or whitespace characters")
            << name;
    EXPECT_EQ(refusal({{"CNI_IFNAME", "fifteen-letters"}}), "");
}

TEST(Environment, ChecksOnlyWhatTheVerbRequires)
{
    EXPECT_TRUE(environment_of({{"CNI_COMMAND", "STATUS"},
                                {"CNI_PATH", "/bin"},
                                {"CNI_CONTAINERID", "../x"},
                                {"CNI_IFNAME", "a/b"}})
                    .has_value());
}

TEST(Environment, AFaultEndsBeforeWhatIsMissingIsTold)
{
    const auto env = environment_of({{"CNI_COMMAND", "ADD"}, {"CNI_CONTAINERID", "."}});
    ASSERT_FALSE(env.has_value());
    EXPECT_EQ(env.error().msg, "invalid characters in containerID");
}

TEST(Environment, OverrideIsOneOrTrueInAnyCase)
{
    for (const auto &[text, expected] :
         std::map<std::string, bool>{{"1", true}, {"TRUE", true}, {"true", true}, {"yes", false}}) {
        const auto env = environment_of({{"CNI_COMMAND", "VERSION"}, {"CNI_NETNS_OVERRIDE", text}});
        ASSERT_TRUE(env.has_value());
        EXPECT_EQ(env->netns_override, expected) << text;
    }
}

}  // namespace
}  // namespace tortie::cni
