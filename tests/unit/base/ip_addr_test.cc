// SPDX-License-Identifier: Apache-2.0
#include "base/ip_addr.h"

#include <gtest/gtest.h>

namespace tortie {
namespace {

IpAddr ip(std::string_view text)
{
    return IpAddr::parse(text).value();
}

TEST(IpAddr, PrintsIpv6AsRfc5952Asks)
{
    for (const char *text : {"::", "::1", "2001:db8::1", "2001:db8:0:1:1:1:1:1",
                             "1::", "2001:0:0:1::1", "fe80::1:0:0:1", "1:2:3:4:5:6:7:8"})
        EXPECT_EQ(ip(text).to_string(), text);
    EXPECT_EQ(ip("2001:DB8:0:0:0:0:0:00a1").to_string(), "2001:db8::a1");
    EXPECT_EQ(ip("1:0:0:2:0:0:3:4").to_string(), "1::2:0:0:3:4");
}

TEST(IpAddr, ReadsAMappedAddressAsIpv4)
{
    EXPECT_EQ(ip("::ffff:10.1.2.3"), ip("10.1.2.3"));
    EXPECT_EQ(ip("::ffff:10.1.2.3").family(), Family::kIpv4);
}

TEST(IpAddr, RefusesWhatIsNotExactlyAnAddress)
{
    for (const char *text : {"", " 10.0.0.1", "10.0.0.1 ", "10.0.0", "010.0.0.1", "10.0.0.256",
                             "fe80::1%eth0", "[::1]", "::1::", "10.0.0.1/24"})
        EXPECT_FALSE(IpAddr::parse(text)) << text;
    EXPECT_FALSE(IpAddr::parse(std::string_view("10.0.0.1\0", 9)));
}

TEST(IpAddr, CountsAcrossBytesAndWraps)
{
    EXPECT_EQ(ip("10.0.255.255").next(), ip("10.1.0.0"));
    EXPECT_EQ(ip("10.1.0.0").previous(), ip("10.0.255.255"));
    EXPECT_EQ(ip("255.255.255.255").next(), ip("0.0.0.0"));
    EXPECT_EQ(ip("::ffff").next(), ip("::1:0"));
}

TEST(IpAddr, KnowsTheEndsOfAPrefixAtEveryLength)
{
    EXPECT_EQ(ip("10.1.2.3").first_in(0), ip("0.0.0.0"));
    EXPECT_EQ(ip("10.1.2.3").first_in(20), ip("10.1.0.0"));
    EXPECT_EQ(ip("10.1.2.3").first_in(32), ip("10.1.2.3"));
    EXPECT_EQ(ip("10.1.2.3").last_in(20), ip("10.1.15.255"));
    EXPECT_EQ(ip("2001:db8::1").last_in(64), ip("2001:db8::ffff:ffff:ffff:ffff"));
}

TEST(IpAddr, TellsLoopbackAndUnspecified)
{
    EXPECT_TRUE(ip("127.4.5.6").is_loopback());
    EXPECT_TRUE(ip("::1").is_loopback());
    EXPECT_FALSE(ip("::2").is_loopback());
    EXPECT_FALSE(ip("2001:db8::1").is_loopback());
    EXPECT_TRUE(ip("::").is_unspecified());
    EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
    EXPECT_NE(ip("::"), ip("0.0.0.0"));
}

TEST(Cidr, KeepsTheHostBitsAndChecksThePrefix)
{
    const Cidr cidr = Cidr::parse("10.88.0.5/16").value();
    EXPECT_EQ(cidr.to_string(), "10.88.0.5/16");
    EXPECT_EQ(cidr.network(), ip("10.88.0.0"));
    EXPECT_TRUE(cidr.contains(ip("10.88.255.1")));
    EXPECT_FALSE(cidr.contains(ip("10.89.0.1")));
    EXPECT_FALSE(cidr.contains(ip("::1")));
    for (const char *text :
         {"10.0.0.1", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/", "::1/129", "10.0.0.1/+8",
          "10.0.0.1/ 8", "::ffff:10.0.0.1/24", "::ffff:10.0.0.1/120"})
        EXPECT_FALSE(Cidr::parse(text)) << text;
}

}  // namespace
}  // namespace tortie
