// SPDX-License-Identifier: Apache-2.0
#include "host-local/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::host_local {
namespace {

using Kind = Holder::Kind;
using testing::ElementsAre;
using testing::Pair;

IpAddr ip(std::string_view text)
{
    return IpAddr::parse(text).value();
}

class StoreTest : public testing::Test {
protected:
    Store create() { return Store::create(temp_ / "deep/er", "net").value(); }
    std::string file(const std::string &name) const { return temp_ / "deep/er/net/" + name; }

    void write(const std::string &name, std::string_view content) const
    {
        std::ofstream(file(name), std::ios::binary) << content;
    }
    std::string read(const std::string &name) const
    {
        std::ifstream in(file(name), std::ios::binary);
        std::ostringstream all;
        all << in.rdbuf();
        return all.str();
    }
    mode_t mode(const std::string &name) const
    {
        struct stat st {};
        EXPECT_EQ(::lstat(file(name).c_str(), &st), 0) << name;
        return st.st_mode & 07777;
    }
    bool exists(const std::string &name) const
    {
        struct stat st {};
        return ::lstat(file(name).c_str(), &st) == 0;
    }

    test::TempDir temp_;
};

TEST(Holder, IsReadFromBothFormats)
{
    EXPECT_EQ(parse_holder("c1\r\neth0").owner, "c1\r\neth0");
    EXPECT_EQ(parse_holder(" c1\r\neth0\n").owner, "c1\r\neth0");
    EXPECT_EQ(parse_holder("c1").owner, "c1");
    EXPECT_EQ(parse_holder("c1\n").owner, "c1");
    EXPECT_EQ(parse_holder("c1\r\n").owner, "c1");
}

TEST(Holder, IsTornWhenNoAddCanHaveWrittenIt)
{
    for (const std::string_view content :
         {std::string_view(""), std::string_view("  \n"), std::string_view("\0\0\0\0", 4),
          std::string_view("c1\r\neth0\0\0", 10), std::string_view("\x7f\x45\x4c\x46\x02")})
        EXPECT_EQ(parse_holder(content).kind, Kind::kTorn);
}

TEST(Holder, IsUnknownWhenAPersonMayHaveWrittenIt)
{
    EXPECT_EQ(parse_holder("printer, do not give away\n").kind, Kind::kUnknown);
    EXPECT_EQ(parse_holder("c1\r\nan interface").kind, Kind::kUnknown);
}

TEST_F(StoreTest, MakesDirectoryAndLockAsTheGoPluginDoes)
{
    const mode_t before = ::umask(0077);
    const Store store = create();
    ::umask(before);

    EXPECT_EQ(mode(""), 0755U);
    EXPECT_EQ(mode("lock"), 0750U);
}

TEST_F(StoreTest, DoesNotMakeTheDirectoryWhenItOnlyLooks)
{
    EXPECT_EQ(Store::open(temp_.path(), "net").error().kind(), ErrorKind::kNotFound);
    EXPECT_FALSE(std::filesystem::exists(temp_ / "net"));
}

TEST_F(StoreTest, RefusesANetworkThatIsALink)
{
    ASSERT_EQ(::symlink("/tmp", (temp_ / "net").c_str()), 0);

    EXPECT_FALSE(Store::create(temp_.path(), "net"));
}

TEST_F(StoreTest, WritesReservationsByteForByteAsTheGoPlugin)
{
    Store store = create();

    EXPECT_TRUE(store.reserve(ip("2001:db8::a"), "c1\r\neth0").value());
    EXPECT_EQ(read("2001:db8::a"), "c1\r\neth0");
    EXPECT_EQ(mode("2001:db8::a"), 0600U);
    EXPECT_FALSE(store.reserve(ip("2001:db8::a"), "c2\r\neth0").value());
    EXPECT_EQ(read("2001:db8::a"), "c1\r\neth0");
    EXPECT_EQ(store.holder(ip("2001:db8::a")).owner, "c1\r\neth0");
}

TEST_F(StoreTest, KeepsThePointerOfEachRangeSet)
{
    Store store = create();
    EXPECT_EQ(store.last_reserved(0), std::nullopt);

    ASSERT_TRUE(store.set_last_reserved(0, ip("10.0.0.254")));
    ASSERT_TRUE(store.set_last_reserved(1, ip("2001:db8::1")));
    ASSERT_TRUE(store.set_last_reserved(0, ip("10.0.0.2")));

    EXPECT_EQ(read("last_reserved_ip.0"), "10.0.0.2");
    EXPECT_EQ(mode("last_reserved_ip.0"), 0600U);
    EXPECT_EQ(store.last_reserved(0), ip("10.0.0.2"));
    EXPECT_EQ(store.last_reserved(1), ip("2001:db8::1"));
    EXPECT_FALSE(exists("last_reserved_ip.0.tmp"));
}

TEST_F(StoreTest, StartsOverWhereThePointerMakesNoSense)
{
    Store store = create();
    for (const char *content : {"", "10.0.0.2\n", "10.0.0", "\x01"}) {
        write("last_reserved_ip.0", content);
        EXPECT_EQ(store.last_reserved(0), std::nullopt);
    }
}

TEST_F(StoreTest, ScansReservationsAndNothingElse)
{
    Store store = create();
    write("10.0.0.2", "c1\r\neth0");
    write("10.0.0.3", "old");
    write("10.0.0.4", "by hand, please keep");
    write("2001:DB8::1", "not our spelling");
    write("README", "c1\r\neth0");
    write("last_reserved_ip.0", "10.0.0.3");
    std::filesystem::create_directory(file("10.0.0.5"));
    ASSERT_EQ(::symlink("10.0.0.2", file("10.0.0.6").c_str()), 0);

    std::map<std::string, std::string> seen;
    ASSERT_TRUE(store.scan(
        [&](const IpAddr &at, const Holder &holder) { seen[at.to_string()] = holder.owner; }));

    EXPECT_THAT(seen,
                ElementsAre(Pair("10.0.0.2", "c1\r\neth0"), Pair("10.0.0.3", "old"),
                            Pair("10.0.0.4", ""), Pair("10.0.0.5", ""), Pair("10.0.0.6", "")));
}

TEST_F(StoreTest, SweepsUpAfterKilledProcesses)
{
    Store store = create();
    write("10.0.0.2", "");
    write("10.0.0.3", std::string_view("\0\0\0\0\0\0\0\0", 8));
    write("last_reserved_ip.0.tmp", "10.0");
    ASSERT_EQ(::mkfifo(file("10.0.0.4").c_str(), 0600), 0);

    ASSERT_TRUE(store.scan([](const IpAddr &, const Holder &) {}));

    EXPECT_FALSE(exists("10.0.0.2"));
    EXPECT_FALSE(exists("10.0.0.3"));
    EXPECT_FALSE(exists("last_reserved_ip.0.tmp"));
    EXPECT_TRUE(exists("10.0.0.4"));
}

TEST_F(StoreTest, ReadsAnIdOfAnyLength)
{
    Store store = create();
    const std::string owner = std::string(5000, 'c') + "\r\neth0";
    ASSERT_TRUE(store.reserve(ip("10.0.0.2"), owner));

    EXPECT_EQ(store.holder(ip("10.0.0.2")).owner, owner);
}

TEST_F(StoreTest, HoldsTheLockThatTheGoPluginTakes)
{
    {
        const Store store = create();
        const UniqueFd other(::open(file("lock").c_str(), O_RDWR | O_CLOEXEC));
        EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
    }
    const UniqueFd other(::open(file("lock").c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

// What the index rests on: no change of the directory goes unnoticed, within one clock tick too.
TEST_F(StoreTest, SealsTheDirectorySoThatEveryLaterChangeShows)
{
    Store store = create();
    for (int i = 0; i < 200; ++i) {
        const auto sealed = store.seal();
        ASSERT_TRUE(sealed) << sealed.error().what();
        ASSERT_EQ(store.stamp().value(), *sealed);

        write("10.0.0.2", "c1\r\neth0");
        const auto after_creation = store.stamp().value();
        ASSERT_NE(after_creation, *sealed);
        const auto sealed_again = store.seal().value();
        ASSERT_EQ(::unlink(file("10.0.0.2").c_str()), 0);
        ASSERT_NE(store.stamp().value(), sealed_again);
    }
}

}  // namespace
}  // namespace tortie::host_local
