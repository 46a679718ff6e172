// SPDX-License-Identifier: Apache-2.0
#include "host-local/resolv_conf.h"

#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::host_local {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ResolvConf, ReadsASimpleOne)
{
    const cni::Dns dns = parse_resolv_conf("nameserver 192.0.2.0\nnameserver 192.0.2.1\n");

    EXPECT_THAT(dns.nameservers, ElementsAre("192.0.2.0", "192.0.2.1"));
    EXPECT_THAT(dns.search, IsEmpty());
}

TEST(ResolvConf, PassesOverCommentsAndLinesWithoutAValue)
{
    const cni::Dns dns = parse_resolv_conf(
        "nameserver 192.0.2.0\n;nameserver 192.0.2.1\n  # x y\n\nnameserver\n"
        "sortlist 1 2\n");

    EXPECT_THAT(dns.nameservers, ElementsAre("192.0.2.0"));
}

TEST(ResolvConf, ReadsAllFieldsAndTheLastDomain)
{
    const cni::Dns dns = parse_resolv_conf(
        "# comment\n\tdomain first.example\r\nnameserver 192.0.2.0 ignored\n"
        "search example.com example.org\nsearch example.net\ndomain second.example\n"
        "options one two\noptions three");

    EXPECT_THAT(dns.nameservers, ElementsAre("192.0.2.0"));
    EXPECT_EQ(dns.domain, "second.example");
    EXPECT_THAT(dns.search, ElementsAre("example.com", "example.org", "example.net"));
    EXPECT_THAT(dns.options, ElementsAre("one", "two", "three"));
}

TEST(ResolvConf, IsReadThroughALink)
{
    const test::TempDir temp;
    std::ofstream(temp / "stub") << "nameserver 192.0.2.7\n";
    ASSERT_EQ(::symlink("stub", (temp / "resolv.conf").c_str()), 0);

    EXPECT_THAT(read_resolv_conf(temp / "resolv.conf").value().nameservers,
                ElementsAre("192.0.2.7"));
}

TEST(ResolvConf, SaysInTheGoPluginsWordsThatItIsMissing)
{
    EXPECT_EQ(read_resolv_conf("/nowhere/resolv.conf").error().what(),
              "open /nowhere/resolv.conf: no such file or directory");
}

}  // namespace
}  // namespace tortie::host_local
