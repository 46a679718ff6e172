// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "harness/netns.h"
#include "sys/sysctl.h"

namespace tortie {
namespace {

ino_t own_netns()
{
    struct stat st {};
    EXPECT_EQ(::stat("/proc/thread-self/ns/net", &st), 0);
    return st.st_ino;
}

TEST(NetnsScopeInNetns, IsInsideForItsLifeAndThenBack)
{
    TORTIE_NEEDS_ROOT();
    const test::Netns pod;
    struct stat there {};
    ASSERT_EQ(::stat(pod.path().c_str(), &there), 0);
    const ino_t home = own_netns();

    {
        const auto scope = NetnsScope::enter(pod.path());
        ASSERT_TRUE(scope) << scope.error().what();
        EXPECT_EQ(own_netns(), there.st_ino);
    }

    EXPECT_EQ(own_netns(), home);
    EXPECT_NE(home, there.st_ino);
}

TEST(NetnsScopeInNetns, StaysInsideWhenItIsMoved)
{
    TORTIE_NEEDS_ROOT();
    const test::Netns pod;
    const ino_t home = own_netns();

    {
        auto scope = NetnsScope::enter(pod.path());
        ASSERT_TRUE(scope);
        const NetnsScope moved = *std::move(scope);
        EXPECT_NE(own_netns(), home);
    }

    EXPECT_EQ(own_netns(), home);
}

class SysctlInNetns : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        pod_.emplace();
    }

    std::optional<test::Netns> pod_;
};

TEST_F(SysctlInNetns, IsWrittenThereAndNotHere)
{
    const std::string here = read_sysctl("ipv4/ip_default_ttl").value();
    ASSERT_NE(here, "123");

    pod_->inside([] {
        ASSERT_TRUE(write_sysctl("ipv4/ip_default_ttl", "123"));
        EXPECT_EQ(read_sysctl("ipv4/ip_default_ttl").value(), "123");
    });

    EXPECT_EQ(read_sysctl("ipv4/ip_default_ttl").value(), here);
}

TEST_F(SysctlInNetns, IsReadAsTheKernelPrintsIt)
{
    pod_->inside([] {
        ASSERT_TRUE(write_sysctl("ipv4/ip_local_port_range", "20000 30000"));
        EXPECT_EQ(read_sysctl("ipv4/ip_local_port_range").value(), "20000\t30000");
    });
}

TEST_F(SysctlInNetns, HandsOnTheKernelsRefusal)
{
    const auto refused = pod_->inside([] { return write_sysctl("ipv4/ip_default_ttl", "many"); });

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what(), "write /proc/sys/net/ipv4/ip_default_ttl: invalid argument");
}

TEST_F(SysctlInNetns, OffersTheKernelTheRestOfAValue)
{
    const auto tag = pod_->inside([]() -> Result<std::string> {
        TORTIE_DO(write_sysctl("ipv4/conf/lo/tag", "12 34"));
        return read_sysctl("ipv4/conf/lo/tag");
    });

    ASSERT_TRUE(tag);
    EXPECT_EQ(*tag, "12");
}

}  // namespace
}  // namespace tortie
