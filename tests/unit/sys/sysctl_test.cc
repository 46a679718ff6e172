// SPDX-License-Identifier: Apache-2.0
//
// Only reading: the machine's own sysctls are not ours. Writing is tested in tests/netns.
#include "sys/sysctl.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

TEST(Sysctl, ReadsAValueWithoutItsNewline)
{
    const auto value = read_sysctl("ipv4/conf/lo/mc_forwarding");
    ASSERT_TRUE(value) << value.error().what();
    EXPECT_EQ(*value, "0");
}

TEST(Sysctl, NamesThePathThatIsNotThere)
{
    const auto value = read_sysctl("ipv4/conf/absent0/forwarding");
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().what(),
              "open /proc/sys/net/ipv4/conf/absent0/forwarding: no such file or directory");
    EXPECT_EQ(value.error().kind(), ErrorKind::kNotFound);
}

TEST(Sysctl, ReachesNothingOutsideOfNet)
{
    for (const char *name : {"../kernel/hostname", "ipv4/../../kernel/hostname",
                             "/proc/sys/kernel/hostname", "", ".", ".."}) {
        EXPECT_FALSE(read_sysctl(name)) << name;
        EXPECT_FALSE(write_sysctl(name, "0")) << name;
    }
}

TEST(Sysctl, TellsADirectoryFromAValue)
{
    const auto value = read_sysctl("ipv4/conf");
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().what(), "read /proc/sys/net/ipv4/conf: is a directory");
}

}  // namespace
}  // namespace tortie
