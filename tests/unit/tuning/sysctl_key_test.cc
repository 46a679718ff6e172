// SPDX-License-Identifier: Apache-2.0
#include "tuning/sysctl_key.h"

#include <gtest/gtest.h>

namespace tortie::tuning {
namespace {

std::string name_of(std::string_view key, std::string_view ifname = "eth0")
{
    const auto name = sysctl_name(key, ifname);
    return name ? *name : name.error().what();
}

TEST(SysctlKey, IsWrittenWithDotsOrSlashes)
{
    EXPECT_EQ(name_of("net.core.somaxconn"), "core/somaxconn");
    EXPECT_EQ(name_of("net/core/somaxconn"), "core/somaxconn");
    EXPECT_EQ(name_of("net.ipv4/conf.lo.tag"), "ipv4/conf/lo/tag");
    EXPECT_EQ(name_of("/net//core.somaxconn/"), "core/somaxconn");
}

TEST(SysctlKey, TakesTheInterfaceForTheFirstPlaceholderOnly)
{
    EXPECT_EQ(name_of("net.ipv4.conf.IFNAME.arp_filter"), "ipv4/conf/eth0/arp_filter");
    EXPECT_EQ(name_of("net.ipv4.conf.IFNAME.IFNAME"), "ipv4/conf/eth0/IFNAME");
}

TEST(SysctlKey, KeepsTheDotsOfAnInterfaceThatComesThroughThePlaceholder)
{
    EXPECT_EQ(name_of("net.ipv4.conf.IFNAME.arp_filter", "eth0.100"),
              "ipv4/conf/eth0.100/arp_filter");
    EXPECT_EQ(name_of("net.ipv4.conf.eth0.100.arp_filter"), "ipv4/conf/eth0/100/arp_filter");
}

TEST(SysctlKey, IsRefusedOutsideOfNet)
{
    EXPECT_EQ(name_of("kernel.hostname"), "invalid net sysctl key: \"kernel/hostname\"");
    EXPECT_EQ(name_of("net"), "invalid net sysctl key: \"net\"");
    EXPECT_EQ(name_of("net."), "invalid net sysctl key: \"net/\"");
    EXPECT_EQ(name_of(""), "invalid net sysctl key: \"\"");
    EXPECT_EQ(name_of("network.x"), "invalid net sysctl key: \"network/x\"");
    EXPECT_EQ(name_of("/proc/sys/net/core/x"), "invalid net sysctl key: \"/proc/sys/net/core/x\"");
}

// The protocol's frame refuses such names; this does not count on it.
TEST(SysctlKey, IsRefusedWhenAHostileInterfaceNameLeadsOut)
{
    EXPECT_EQ(name_of("net.IFNAME.kernel.hostname", ".."),
              "invalid net sysctl key: \"net/../kernel/hostname\"");
    EXPECT_EQ(name_of("net.IFNAME", "../kernel/hostname"),
              "invalid net sysctl key: \"net/../kernel/hostname\"");
    EXPECT_EQ(name_of("net.ipv4.IFNAME.x", "../../../../../etc"),
              "invalid net sysctl key: \"net/ipv4/../../../../../etc/x\"");
    EXPECT_EQ(name_of("net.ipv4.IFNAME.x", ".."), "x");  // still below net
}

}  // namespace
}  // namespace tortie::tuning
