// SPDX-License-Identifier: Apache-2.0
#include "host-local/allocate.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::host_local {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

IpAddr ip(std::string_view text)
{
    return IpAddr::parse(text).value();
}

RangeSet subnets(const std::vector<std::string> &cidrs)
{
    std::vector<RangeConfig> configs;
    configs.reserve(cidrs.size());
    for (const std::string &cidr : cidrs)
        configs.push_back(
            {.subnet = Cidr::parse(cidr).value(), .start = {}, .end = {}, .gateway = {}});
    return RangeSet::from(configs).value();
}

class Allocation : public testing::Test {
protected:
    // As one process sees it: opened, used, saved.
    Reservations open()
    {
        return Reservations::load(Store::create(temp_.path(), "net").value(), temp_.path(), "net")
            .value();
    }

    std::string next(const RangeSet &set, const Attachment &who)
    {
        Reservations all = open();
        auto got = allocate_next(all, set, 0, who);
        if (got) {
            EXPECT_TRUE(all.set_last_reserved(0, *got));
        }
        all.save_index();
        return got ? got->to_string() : got.error().what();
    }
    std::string request(const RangeSet &set, std::string_view what, const Attachment &who)
    {
        Reservations all = open();
        const auto got = allocate_requested(all, set, ip(what), who);
        all.save_index();
        return got ? got->to_string() : got.error().what();
    }
    void release(const Attachment &who)
    {
        Reservations all = open();
        ASSERT_TRUE(all.release_all(who));
        all.save_index();
    }
    bool index_fits() { return !open().exact(); }

    std::string file(const std::string &name) const { return temp_ / "net/" + name; }
    bool exists(const std::string &name) const { return std::filesystem::exists(file(name)); }
    void write(const std::string &name, std::string_view content)
    {
        std::filesystem::create_directory(temp_ / "net");
        std::ofstream(file(name), std::ios::binary) << content;
    }
    // In place, so that the directory does not show it.
    void rewrite(const std::string &name, std::string_view content) { write(name, content); }

    test::TempDir temp_;
    const Attachment c1_{.container_id = "c1", .ifname = "eth0"};
    const Attachment c2_{.container_id = "c2", .ifname = "eth0"};
};

struct RoundRobinCase {
    std::string name;
    std::vector<std::string> subnets;
    std::vector<std::string> taken;
    std::string last;
    std::string expected;
};

class RoundRobin : public Allocation, public testing::WithParamInterface<RoundRobinCase> {};

TEST_P(RoundRobin, GivesTheNextFreeAddress)
{
    for (const std::string &taken : GetParam().taken)
        write(taken, "id\r\neth0");
    if (!GetParam().last.empty())
        write("last_reserved_ip.0", GetParam().last);

    EXPECT_EQ(next(subnets(GetParam().subnets), c1_), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Situations, RoundRobin,
    testing::ValuesIn(std::vector<RoundRobinCase>{
        {"FreshIpv4", {"10.0.0.0/29"}, {}, "", "10.0.0.2"},
        {"FreshIpv6", {"2001:db8:1::/64"}, {}, "", "2001:db8:1::2"},
        {"FreshSmallest", {"10.0.0.0/30"}, {}, "", "10.0.0.2"},
        {"FirstTaken", {"10.0.0.0/29"}, {"10.0.0.2"}, "", "10.0.0.3"},
        {"AfterTheLast", {"10.0.0.0/29"}, {}, "10.0.0.5", "10.0.0.6"},
        {"AfterTheLastPastTaken",
         {"10.0.0.0/29"},
         {"10.0.0.4", "10.0.0.5"},
         "10.0.0.3",
         "10.0.0.6"},
        {"RoundToTheBeginning", {"10.0.0.0/29"}, {"10.0.0.6"}, "10.0.0.5", "10.0.0.2"},
        {"LastIsOutside", {"10.0.0.0/29"}, {"10.0.0.2"}, "10.0.0.128", "10.0.0.3"},
        {"OnlyTheLastIsFree",
         {"10.0.0.0/29"},
         {"10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"},
         "10.0.0.3",
         "10.0.0.3"},
        {"FirstOfTwoRanges", {"10.0.0.0/30", "10.0.1.0/30"}, {}, "", "10.0.0.2"},
        {"NextRange", {"10.0.0.0/30", "10.0.1.0/30"}, {}, "10.0.0.2", "10.0.1.2"},
        {"BackToTheFirstRange",
         {"10.0.0.0/30", "10.0.1.0/30", "10.0.2.0/30"},
         {},
         "10.0.2.2",
         "10.0.0.2"},
        {"Exhausted",
         {"10.0.0.0/30"},
         {"10.0.0.2"},
         "",
         "no IP addresses available in range set: 10.0.0.1-10.0.0.2"},
        {"ExhaustedLarger",
         {"10.0.0.0/29"},
         {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"},
         "10.0.0.4",
         "no IP addresses available in range set: 10.0.0.1-10.0.0.6"},
        {"ExhaustedRanges",
         {"10.0.0.0/30", "10.0.1.0/30"},
         {"10.0.0.2", "10.0.1.2"},
         "10.0.0.2",
         "no IP addresses available in range set: 10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2"},
    }),
    [](const auto &param_info) { return param_info.param.name; });

TEST_F(Allocation, NeverGivesTheBroadcastAddress)
{
    const RangeSet set = subnets({"192.168.1.0/29"});
    for (int i = 2; i < 7; ++i)
        EXPECT_EQ(next(set, {"c" + std::to_string(i), "eth0"}), "192.168.1." + std::to_string(i));

    EXPECT_THAT(next(set, {"c8", "eth0"}), testing::StartsWith("no IP addresses available"));
}

TEST_F(Allocation, DoesNotReuseAReleasedAddressAtOnce)
{
    const RangeSet set = subnets({"192.168.1.0/29"});
    EXPECT_EQ(next(set, c1_), "192.168.1.2");
    release(c1_);

    EXPECT_EQ(next(set, c1_), "192.168.1.3");
}

TEST_F(Allocation, RefusesASecondAddressOfTheSameSet)
{
    const RangeSet set = subnets({"192.168.1.0/29"});
    EXPECT_EQ(next(set, c1_), "192.168.1.2");

    EXPECT_EQ(next(set, c1_),
              "192.168.1.2 has been allocated to c1, duplicate allocation is not allowed");
    EXPECT_EQ(next(subnets({"192.168.2.0/29"}), c1_), "192.168.2.2");
}

TEST_F(Allocation, CountsAnOldReservationAsAnAddressOfTheContainer)
{
    write("192.168.1.5", "c1");

    EXPECT_EQ(next(subnets({"192.168.1.0/29"}), c1_),
              "192.168.1.5 has been allocated to c1, duplicate allocation is not allowed");
}

TEST_F(Allocation, GivesARequestedAddressOnce)
{
    const RangeSet set = subnets({"192.168.1.0/29"});
    EXPECT_EQ(request(set, "192.168.1.5", c1_), "192.168.1.5");

    const std::string refusal =
        "requested IP address 192.168.1.5 is not available in range set 192.168.1.1-192.168.1.6";
    EXPECT_EQ(request(set, "192.168.1.5", c1_), refusal);
    EXPECT_EQ(request(set, "192.168.1.5", c2_), refusal);
    EXPECT_EQ(request(set, "192.168.1.1", c2_), "requested ip 192.168.1.1 is subnet's gateway");
}

TEST_F(Allocation, ReleasesOldReservationsOnlyWhenThereAreNoNewOnes)
{
    write("10.0.0.2", "c1");
    write("10.0.0.3", "c1\r\neth0");

    release(c1_);
    EXPECT_TRUE(exists("10.0.0.2"));
    EXPECT_FALSE(exists("10.0.0.3"));
    release(c1_);
    EXPECT_FALSE(exists("10.0.0.2"));
}

TEST_F(Allocation, KeepsAnIndexThatFitsAfterEveryCall)
{
    const RangeSet set = subnets({"10.0.0.0/24"});
    EXPECT_EQ(next(set, c1_), "10.0.0.2");
    EXPECT_TRUE(index_fits());
    EXPECT_EQ(next(set, c2_), "10.0.0.3");
    EXPECT_TRUE(index_fits());
    release(c1_);
    EXPECT_TRUE(index_fits());
    release(c1_);
    EXPECT_TRUE(index_fits());
}

TEST_F(Allocation, SeesWhatOthersDidToTheDirectory)
{
    const RangeSet set = subnets({"10.0.0.0/24"});
    EXPECT_EQ(next(set, c1_), "10.0.0.2");
    write("10.0.0.3", "go\r\neth0");
    EXPECT_FALSE(index_fits());

    EXPECT_EQ(next(set, c2_), "10.0.0.4");
    EXPECT_TRUE(index_fits());
    std::filesystem::remove(file("10.0.0.2"));
    EXPECT_EQ(next(set, c1_), "10.0.0.5");
}

TEST_F(Allocation, ComparesTheFileBeforeItRemovesIt)
{
    EXPECT_EQ(next(subnets({"10.0.0.0/24"}), c1_), "10.0.0.2");
    rewrite("10.0.0.2", "c9\r\neth0");
    ASSERT_TRUE(index_fits());

    release(c1_);

    EXPECT_TRUE(exists("10.0.0.2"));
}

TEST_F(Allocation, BelievesTheFileSystemAndNotTheIndexThatAnAddressIsFree)
{
    const RangeSet set = subnets({"10.0.0.0/24"});
    EXPECT_EQ(next(set, c1_), "10.0.0.2");
    {
        Reservations all = open();  // holds the lock; somebody else does not care
        ASSERT_FALSE(all.exact());
        write("10.0.0.3", "c9\r\neth0");
        EXPECT_EQ(allocate_next(all, set, 0, c2_).value(), ip("10.0.0.4"));
    }
    EXPECT_EQ(next(set, {"c3", "eth0"}), "10.0.0.5");
}

TEST_F(Allocation, LooksAtEveryFileBeforeItCallsARangeExhausted)
{
    const RangeSet set = subnets({"10.0.0.0/30"});
    EXPECT_EQ(next(set, c1_), "10.0.0.2");
    Reservations all = open();
    ASSERT_FALSE(all.exact());
    std::filesystem::remove(file("10.0.0.2"));

    EXPECT_EQ(allocate_next(all, set, 0, c2_).value(), ip("10.0.0.2"));
}

TEST_F(Allocation, ReclaimsATornReservation)
{
    const RangeSet set = subnets({"10.0.0.0/30"});
    write("10.0.0.2", "");
    EXPECT_EQ(next(set, c1_), "10.0.0.2");

    rewrite("10.0.0.2", std::string_view("\0\0\0", 3));
    ASSERT_TRUE(index_fits());
    EXPECT_EQ(request(set, "10.0.0.2", c2_), "10.0.0.2");
}

TEST_F(Allocation, LeavesAnAddressAloneThatAPersonHasReserved)
{
    write("10.0.0.2", "this is the printer\n");

    EXPECT_EQ(next(subnets({"10.0.0.0/24"}), c1_), "10.0.0.3");
    Reservations all = open();
    ASSERT_TRUE(all.collect([](std::string_view) { return false; }));
    EXPECT_TRUE(exists("10.0.0.2"));
    EXPECT_FALSE(exists("10.0.0.3"));
}

TEST_F(Allocation, WorksWhereNoIndexCanBeWritten)
{
    std::ofstream(temp_ / ".tortie") << "not a directory";
    const RangeSet set = subnets({"10.0.0.0/24"});

    EXPECT_EQ(next(set, c1_), "10.0.0.2");
    EXPECT_EQ(next(set, c2_), "10.0.0.3");
    EXPECT_FALSE(index_fits());
    release(c1_);
    EXPECT_FALSE(exists("10.0.0.2"));
}

TEST_F(Allocation, SurvivesAnyContentOfTheIndex)
{
    const RangeSet set = subnets({"10.0.0.0/24"});
    EXPECT_EQ(next(set, c1_), "10.0.0.2");
    const std::string index = temp_ / ".tortie/net.index";

    std::filesystem::resize_file(index, 513);
    EXPECT_EQ(next(set, c2_), "10.0.0.3");
    std::ofstream(index, std::ios::binary) << "garbage";
    EXPECT_EQ(next(set, c2_),
              "10.0.0.3 has been allocated to c2, duplicate allocation is not allowed");
    std::filesystem::resize_file(index, 512);  // a head that fits and nothing behind it
    release(c2_);
    EXPECT_FALSE(exists("10.0.0.3"));
}

}  // namespace
}  // namespace tortie::host_local
