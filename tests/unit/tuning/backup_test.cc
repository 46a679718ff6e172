// SPDX-License-Identifier: Apache-2.0
#include "tuning/backup.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "harness/temp_dir.h"

namespace tortie::tuning {
namespace {

using testing::HasSubstr;

Backup full_backup()
{
    Backup backup;
    backup.before.mac = parse_mac("0a:58:0a:00:00:05");
    backup.before.promisc = false;
    backup.before.mtu = 1500;
    backup.before.allmulti = true;
    backup.before.tx_queue_len = 0;
    backup.before.sysctls = {{"core/somaxconn", "4096"}, {"ipv4/ip_local_port_range", "1\t2"}};
    backup.network = "podnet";
    return backup;
}

mode_t mode_of(const std::string &path)
{
    struct stat st {};
    EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
    return st.st_mode & 07777;
}

TEST(Backup, IsPrintedAsTheGoPluginPrintsItAndThenOurKeys)
{
    EXPECT_EQ(print_backup(full_backup()), R"({
 "mac": "0a:58:0a:00:00:05",
 "promisc": false,
 "mtu": 1500,
 "allmulti": true,
 "txQLen": 0,
 "sysctl": {
  "core/somaxconn": "4096",
  "ipv4/ip_local_port_range": "1\t2"
 },
 "network": "podnet"
})");
}

TEST(Backup, HasOnlyTheKeysThatChange)
{
    Backup backup;
    backup.before.mtu = 1500;

    EXPECT_EQ(print_backup(backup), "{\n \"mtu\": 1500\n}");
}

TEST(Backup, IsReadBack)
{
    EXPECT_EQ(parse_backup(print_backup(full_backup())).value(), full_backup());
}

TEST(Backup, OfTheGoPluginIsRead)
{
    const Backup backup = parse_backup(
                              "{\n \"mac\": \"ee:00:00:00:00:01\",\n \"promisc\": false,\n"
                              " \"mtu\": 1500,\n \"txQLen\": 1000\n}")
                              .value();

    EXPECT_EQ(backup.before.mac, parse_mac("ee:00:00:00:00:01"));
    EXPECT_EQ(backup.before.promisc, false);
    EXPECT_EQ(backup.before.mtu, 1500u);
    EXPECT_EQ(backup.before.tx_queue_len, 1000u);
    EXPECT_FALSE(backup.before.allmulti);
    EXPECT_EQ(backup.network, "");
}

TEST(Backup, IsRefusedWhenItIsGarbage)
{
    for (const char *text : {"", "{", "[]", "null", "{} {}", R"({"mtu": "x"})", R"({"mtu": -1})",
                             R"({"mac": "x"})", R"({"sysctl": 1})", R"({"txQLen": 4294967296})"})
        EXPECT_FALSE(parse_backup(text)) << text;
}

TEST(BackupMerge, KeepsTheFirstValuesAndAddsTheOnesThatWereMissing)
{
    Settings first;
    first.mtu = 1500;
    first.sysctls = {{"a", "1"}};
    Settings now;
    now.mtu = 1400;
    now.promisc = true;
    now.sysctls = {{"a", "2"}, {"b", "3"}};

    const Settings merged = merge(first, now);

    EXPECT_EQ(merged.mtu, 1500u);
    EXPECT_EQ(merged.promisc, true);
    EXPECT_EQ(merged.sysctls, (std::map<std::string, std::string>{{"a", "1"}, {"b", "3"}}));
}

TEST(BackupFile, IsWrittenForRootAloneInADirectoryForRootAlone)
{
    const test::TempDir dir;
    const std::string data_dir = dir / "cni/tuning";
    const BackupFile file = BackupFile::of(data_dir, "some-id", "eth0").value();

    ASSERT_TRUE(file.write(full_backup()));

    EXPECT_EQ(mode_of(dir / "cni"), 0755u);
    EXPECT_EQ(mode_of(data_dir), 0700u);
    EXPECT_EQ(mode_of(data_dir + "/some-id_eth0.json"), 0600u);
    EXPECT_EQ(file.read().value(), full_backup());
}

TEST(BackupFile, IsRemovedWithWhatAKilledWriteLeft)
{
    const test::TempDir dir;
    const BackupFile file = BackupFile::of(dir.path(), "id", "eth0").value();
    ASSERT_TRUE(file.write(full_backup()));
    std::ofstream(dir / "id_eth0.json.tmp") << "{";

    ASSERT_TRUE(file.remove());

    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
    EXPECT_TRUE(file.remove());
    EXPECT_EQ(file.read().error().kind(), ErrorKind::kNotFound);
}

TEST(BackupFile, IsRefusedBeforeItsNameIsTooLong)
{
    EXPECT_TRUE(BackupFile::of("/d", std::string(241, 'a'), "eth0"));
    const auto refused = BackupFile::of("/d", std::string(242, 'a'), "eth0");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().what(), HasSubstr("too long for the name of a backup file"));
}

TEST(BackupFile, IsNotReadThroughALink)
{
    const test::TempDir dir;
    std::ofstream(dir / "target") << print_backup(full_backup());
    std::filesystem::create_symlink("target", dir / "id_eth0.json");

    EXPECT_FALSE(BackupFile::of(dir.path(), "id", "eth0").value().read());
}

class BackupCollection : public testing::Test {
protected:
    void put(const std::string &name, const std::string &network)
    {
        Backup backup = full_backup();
        backup.network = network;
        std::ofstream(dir_ / name) << print_backup(backup);
    }
    bool is_there(const std::string &name) { return std::filesystem::exists(dir_ / name); }

    test::TempDir dir_;
};

TEST_F(BackupCollection, RemovesWhatIsNoLongerValidAndKeepsTheRest)
{
    put("a_b_eth0.json", "podnet");
    put("a_b_eth1.json", "podnet");
    put("gone_eth0.json", "podnet");
    put("gone_eth0.json.tmp", "podnet");

    ASSERT_TRUE(collect_backups(dir_.path(), "podnet", {"a_b_eth0"}));

    EXPECT_TRUE(is_there("a_b_eth0.json"));
    EXPECT_FALSE(is_there("a_b_eth1.json"));
    EXPECT_FALSE(is_there("gone_eth0.json"));
    EXPECT_FALSE(is_there("gone_eth0.json.tmp"));
}

TEST_F(BackupCollection, LeavesOtherNetworksGoFilesAndGarbageAlone)
{
    put("x_eth0.json", "other");
    put("y_eth0.json", "");
    put("z_eth0.conf", "podnet");
    std::ofstream(dir_ / "g_eth0.json") << "{";

    ASSERT_TRUE(collect_backups(dir_.path(), "podnet", {}));

    for (const char *name : {"x_eth0.json", "y_eth0.json", "z_eth0.conf", "g_eth0.json"})
        EXPECT_TRUE(is_there(name)) << name;
}

TEST_F(BackupCollection, SucceedsWithoutADirectory)
{
    EXPECT_TRUE(collect_backups(dir_ / "absent", "podnet", {}));
}

}  // namespace
}  // namespace tortie::tuning
