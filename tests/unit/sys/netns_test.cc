// SPDX-License-Identifier: Apache-2.0
#include "sys/netns.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

std::string refusal(const std::string &path)
{
    const auto scope = NetnsScope::enter(path);
    return scope ? "entered" : scope.error().what();
}

TEST(NetnsScope, SaysThatThePathIsGone)
{
    EXPECT_EQ(refusal("/nowhere/pod"),
              "failed to Statfs \"/nowhere/pod\": no such file or directory");
    EXPECT_EQ(NetnsScope::enter("/nowhere/pod").error().kind(), ErrorKind::kNotFound);
}

TEST(NetnsScope, RefusesAFileOfAnotherFileSystemWithItsMagic)
{
    EXPECT_EQ(refusal("/sys/kernel"), "unknown FS magic on \"/sys/kernel\": 62656572");
}

TEST(NetnsScope, RefusesWhatIsNoNetworkNamespaceAlthoughProcfsHoldsIt)
{
    for (const std::string path : {"/proc/self/status", "/proc/self/ns/mnt", "/proc"})
        EXPECT_EQ(refusal(path), "error switching to ns " + path + ": Error switching to ns " +
                                     path + ": invalid argument");
}

}  // namespace
}  // namespace tortie
