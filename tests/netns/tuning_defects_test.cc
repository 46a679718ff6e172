// SPDX-License-Identifier: Apache-2.0
//
// What the Go plugin does wrong and this one does not, and what must never happen.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/tuning_fixture.h"

namespace tortie {
namespace {

using test::PluginOutcome;
using testing::HasSubstr;

constexpr const char *kEverything =
    R"("mac": "c2:11:22:33:44:55", "promisc": true, "mtu": 1400, "allmulti": true, "txQLen": 7,
       "sysctl": {"net.ipv4.conf.IFNAME.tag": "7"})";

// Crashed.
TEST_F(TuningInNetns, TakesSysctlsFromArgsAlone)
{
    const char *keys = R"("args": {"cni": {"sysctl": {"net.ipv4.conf.IFNAME.tag": "7"}}})";

    EXPECT_EQ(add(keys).status, 0);
    EXPECT_EQ(sysctl("ipv4/conf/eth0/tag"), "7");
    EXPECT_EQ(check(keys).out, "");
}

// Compared text, and the kernel prints tabs.
TEST_F(TuningInNetns, ChecksASysctlOfSeveralValuesWordByWord)
{
    const char *keys = R"("sysctl": {"net.ipv4.ip_local_port_range": "20000 30000"})";
    ASSERT_EQ(add(keys).status, 0);
    EXPECT_EQ(check(keys).out, "");

    const PluginOutcome checked =
        check(R"("sysctl": {"net.ipv4.ip_local_port_range": "20000 30001"})");

    EXPECT_EQ(checked.status, 1);
    EXPECT_THAT(checked.out, HasSubstr("Error: Tuning configured value of "
                                       "/proc/sys/net/ipv4/ip_local_port_range is 20000 30001, "
                                       "current value is 20000\\t30000"));
}

// A capture or a bridge may want it as well.
TEST_F(TuningInNetns, DoesNotMindPromiscThatItWasNotAskedFor)
{
    ASSERT_EQ(add(R"("mtu": 1400)").status, 0);
    pod_->ip({"link", "set", "eth0", "promisc", "on"});

    EXPECT_EQ(check(R"("mtu": 1400)").out, "");
}

// Printed pointers for two of them.
TEST_F(TuningInNetns, SaysInCheckWhatIsWantedAndWhatIsThere)
{
    const std::pair<const char *, const char *> cases[] = {
        {R"("mac": "C2-11-22-33-44-55")",
         "configured Ethernet of eth0 is C2-11-22-33-44-55, current value is 0a:00:00:00:00:01"},
        {R"("promisc": true)", "link eth0 configured promisc is true, current value is 0"},
        {R"("mtu": 1400)", "configured MTU of eth0 is 1400, current value is 1500"},
        {R"("allmulti": true)",
         "configured all-multicast mode of eth0 is true, current value is false"},
        {R"("txQLen": 7)", "configured Transmit Queue Length of eth0 is 7, current value is 1000"},
        {R"("sysctl": {"net.ipv4.conf.IFNAME.tag": "7"})",
         "configured value of /proc/sys/net/ipv4/conf/eth0/tag is 7, current value is 0"},
    };
    for (const auto &[keys, message] : cases) {
        const PluginOutcome checked = check(keys);
        EXPECT_EQ(checked.status, 1);
        EXPECT_THAT(checked.out, HasSubstr(std::string("\"msg\": \"Error: Tuning ") + message));
    }
}

// Overwrote the backup with values that were already changed.
TEST_F(TuningInNetns, KeepsTheFirstValuesWhenAddIsRepeated)
{
    ASSERT_EQ(add(R"("mtu": 1400, "sysctl": {"net.ipv4.conf.IFNAME.tag": "7"})").status, 0);
    ASSERT_EQ(add(kEverything).status, 0);

    ASSERT_EQ(del(kEverything).status, 0);

    EXPECT_EQ(eth0().mtu, 1500u);
    EXPECT_EQ(mac_of(eth0()), "0a:00:00:00:00:01");
    EXPECT_EQ(eth0().tx_queue_len, 1000u);
    EXPECT_FALSE(eth0().promisc() || eth0().allmulti());
    EXPECT_EQ(sysctl("ipv4/conf/eth0/tag"), "0");
    EXPECT_TRUE(data_dir_is_empty());
}

// Kept the backup for ever.
TEST_F(TuningInNetns, DelRemovesTheBackupWhenTheNamespaceIsGone)
{
    ASSERT_EQ(add(kEverything).status, 0);
    ASSERT_FALSE(data_dir_is_empty());
    const std::string path = pod_->path();
    pod_->remove();

    const PluginOutcome deleted = call({.verb = "DEL", .keys = kEverything, .netns = path});

    EXPECT_EQ(deleted.status, 0) << deleted.out;
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, DelRemovesTheBackupWhenTheLinkIsGoneAndStillRestoresSysctls)
{
    ASSERT_EQ(add(R"("mtu": 1400, "sysctl": {"net.ipv4.conf.lo.tag": "7"})").status, 0);
    pod_->ip({"link", "delete", "eth0"});

    EXPECT_EQ(del().status, 0);

    EXPECT_EQ(sysctl("ipv4/conf/lo/tag"), "0");
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, DelRemovesABackupThatIsGarbageAndWhatAKilledAddLeft)
{
    put_backup("{\"mtu\": ");
    std::ofstream(data_dir_ + "/some-container_eth0.json.tmp") << "{";

    const PluginOutcome deleted = del();

    EXPECT_EQ(deleted.status, 0) << deleted.out;
    EXPECT_THAT(deleted.err, HasSubstr("level=warn"));
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, DelSucceedsWithoutABackupAndTwice)
{
    EXPECT_EQ(del().status, 0);
    ASSERT_EQ(add(kEverything).status, 0);
    EXPECT_EQ(del().status, 0);
    EXPECT_EQ(del().status, 0);
}

// Returned the configuration's errors.
TEST_F(TuningInNetns, DelRestoresAlthoughTheConfigurationIsWrong)
{
    ASSERT_EQ(add(kEverything).status, 0);

    const PluginOutcome deleted =
        call({.verb = "DEL", .keys = R"("mtu": "many", "args": 5)", .args = "=;="});

    EXPECT_EQ(deleted.status, 0) << deleted.out;
    EXPECT_EQ(eth0().mtu, 1500u);
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, DelRestoresWhatTheBackupSaysWhateverTheConfigurationSays)
{
    ASSERT_EQ(add(R"("mtu": 1400)").status, 0);
    pod_->ip({"link", "set", "eth0", "txqueuelen", "5"});

    EXPECT_EQ(del(R"("txQLen": 9)").status, 0);

    EXPECT_EQ(eth0().mtu, 1500u);
    EXPECT_EQ(eth0().tx_queue_len, 5u);
}

TEST_F(TuningInNetns, DelKeepsTheBackupOfAValueThatTheKernelRefused)
{
    put_backup(R"({"mtu": 1, "txQLen": 3})");

    const PluginOutcome deleted = del();

    EXPECT_EQ(deleted.status, 0);
    EXPECT_THAT(deleted.err, HasSubstr("level=warn"));
    EXPECT_EQ(eth0().tx_queue_len, 3u);
    EXPECT_TRUE(backup());
}

// Undid nothing.
TEST_F(TuningInNetns, AddThatFailsMidwayLeavesEverythingAsItWas)
{
    const PluginOutcome added =
        add(R"("sysctl": {"net.ipv4.conf.IFNAME.tag": "7", "net.ipv4.conf.lo.tag": "7"},
               "mac": "c2:11:22:33:44:55", "promisc": true, "mtu": 1)");

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("\"msg\": \"invalid argument\""));
    EXPECT_THAT(added.err, HasSubstr("set mtu of eth0"));
    EXPECT_EQ(sysctl("ipv4/conf/eth0/tag"), "0");
    EXPECT_EQ(sysctl("ipv4/conf/lo/tag"), "0");
    EXPECT_EQ(mac_of(eth0()), "0a:00:00:00:00:01");
    EXPECT_FALSE(eth0().promisc());
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, AddThatFailsAgainLeavesTheFirstOnesEffectAndBackup)
{
    ASSERT_EQ(add(R"("mtu": 1400)").status, 0);
    const auto first = backup();

    EXPECT_EQ(add(R"("txQLen": 7, "mtu": 1, "mac": "c2:11:22:33:44:55")").status, 1);

    EXPECT_EQ(backup(), first);
    EXPECT_EQ(eth0().mtu, 1400u);
    EXPECT_EQ(mac_of(eth0()), "0a:00:00:00:00:01");
    ASSERT_EQ(del().status, 0);
    EXPECT_EQ(eth0().mtu, 1500u);
}

TEST_F(TuningInNetns, TakesWhatTheKernelTakesOfAValueAsTheGoPluginDoes)
{
    EXPECT_EQ(add(R"("sysctl": {"net.ipv4.conf.lo.tag": "12 34"})").status, 0);
    EXPECT_EQ(sysctl("ipv4/conf/lo/tag"), "12");

    EXPECT_EQ(del().status, 0);
    EXPECT_EQ(sysctl("ipv4/conf/lo/tag"), "0");
}

TEST_F(TuningInNetns, RefusesADirectoryOfSysctls)
{
    EXPECT_THAT(add(R"("sysctl": {"net.ipv4.conf": "1"})").out,
                HasSubstr("open /proc/sys/net/ipv4/conf: is a directory"));
}

TEST_F(TuningInNetns, EmptiesAListAgainThatWasEmpty)
{
    ASSERT_EQ(add(R"("sysctl": {"net.ipv4.ip_local_reserved_ports": "8080,9000-9010"})").status, 0);
    ASSERT_EQ(sysctl("ipv4/ip_local_reserved_ports"), "8080,9000-9010");

    ASSERT_EQ(del().status, 0);

    EXPECT_EQ(sysctl("ipv4/ip_local_reserved_ports"), "");
}

TEST_F(TuningInNetns, WritesASysctlThatCannotBeReadAndRestoresNothingForIt)
{
    const char *keys = R"("sysctl": {"net.ipv4.route.flush": "1"})";

    EXPECT_EQ(add(keys).status, 0);
    EXPECT_EQ(check(keys).out, "");
    EXPECT_EQ(del(keys).status, 0);
}

TEST_F(TuningInNetns, RestoresSysctlsThatASmallMtuTookAway)
{
    const char *keys = R"("mtu": 1000, "sysctl": {"net.ipv6.conf.IFNAME.hop_limit": "9"})";
    pod_->ip({"link", "set", "eth0", "up"});
    ASSERT_EQ(add(keys).status, 0);

    ASSERT_EQ(del().status, 0);

    EXPECT_EQ(eth0().mtu, 1500u);
    EXPECT_EQ(sysctl("ipv6/conf/eth0/hop_limit"), "64");
}

// Made it 0600, of use to nobody but root.
TEST_F(TuningInNetns, KeepsBackupsForRootAlone)
{
    ASSERT_EQ(add(kEverything).status, 0);
    struct stat dir {};
    struct stat file {};
    ASSERT_EQ(::stat(data_dir_.c_str(), &dir), 0);
    ASSERT_EQ(::stat((data_dir_ + "/some-container_eth0.json").c_str(), &file), 0);

    EXPECT_EQ(dir.st_mode & 07777, 0700u);
    EXPECT_EQ(file.st_mode & 07777, 0600u);
}

TEST_F(TuningInNetns, RefusesAContainerIdThatNoFileNameHolds)
{
    const PluginOutcome added =
        call({.verb = "ADD", .keys = R"("mtu": 1400)", .container = std::string(250, 'a')});

    EXPECT_EQ(added.status, 1);
    EXPECT_THAT(added.out, HasSubstr("container ID is too long"));
    EXPECT_EQ(eth0().mtu, 1500u);
}

TEST_F(TuningInNetns, NeverLeavesNetWhateverTheKeySays)
{
    std::filesystem::create_directories(data_dir_);
    for (const char *key : {"kernel.hostname", "net/../kernel/hostname", "/etc/passwd",
                            "net.ipv4.conf.all", "net/ipv4/conf/all/../../../../kernel/hostname",
                            "net", "..", "net.ipv4.conf.all.tag\\u0000x"}) {
        const PluginOutcome added = add(R"("sysctl": {")" + std::string(key) + R"(": "evil"})");
        EXPECT_EQ(added.status, 1) << key;
        EXPECT_THAT(added.out, HasSubstr("\"code\": 999")) << key;
    }
    EXPECT_TRUE(data_dir_is_empty());
}

TEST_F(TuningInNetns, RefusesHostileInterfaceNames)
{
    for (const char *ifname :
         {"..", ".", "../../x", "a/b", "a b", "a:b", "a\tb", "0123456789abcdef"}) {
        const PluginOutcome added = call({.verb = "ADD",
                                          .keys = R"("sysctl": {"net.ipv4.conf.IFNAME.tag": "7"})",
                                          .ifname = ifname});
        EXPECT_EQ(added.status, 1) << ifname;
        EXPECT_THAT(added.out, HasSubstr("\"code\": 4")) << ifname;
    }
}

// A backup is a file of others as far as DEL is concerned.
TEST_F(TuningInNetns, NeverLeavesNetWhateverTheBackupSays)
{
    std::ofstream(state_ / "victim") << "untouched";
    put_backup(R"({"sysctl": {"../kernel/hostname": "evil", "ipv4/../../kernel/hostname": "evil",
                   ")" +
               (state_ / "victim") + R"(": "evil", "ipv4/conf/lo/tag": "3"}})");

    EXPECT_EQ(del().status, 0);

    EXPECT_EQ(sysctl("ipv4/conf/lo/tag"), "3");
    std::string text;
    std::ifstream(state_ / "victim") >> text;
    EXPECT_EQ(text, "untouched");
}

TEST_F(TuningInNetns, DoesNotWriteThroughALinkInTheDataDirectory)
{
    std::filesystem::create_directories(data_dir_);
    std::ofstream(state_ / "victim") << "untouched";
    std::filesystem::create_symlink(state_ / "victim", data_dir_ + "/some-container_eth0.json.tmp");

    EXPECT_EQ(add(R"("mtu": 1400)").status, 1);

    std::string text;
    std::ifstream(state_ / "victim") >> text;
    EXPECT_EQ(text, "untouched");
    EXPECT_EQ(eth0().mtu, 1500u);
}

TEST_F(TuningInNetns, GcRemovesBackupsOfItsNetworkThatAreNoLongerValid)
{
    const auto add_as = [&](const std::string &container) {
        return call({.verb = "ADD", .keys = R"("mtu": 1400)", .container = container}).status;
    };
    ASSERT_EQ(add_as("live"), 0);
    ASSERT_EQ(add_as("dead"), 0);
    put_backup(R"({"mtu": 1500})");  // the Go plugin's: names no network

    const PluginOutcome collected =
        call({.verb = "GC",
              .keys = R"("cni.dev/valid-attachments": [{"containerID": "live", "ifname": "eth0"}])",
              .version = "1.1.0"});

    EXPECT_EQ(collected.status, 0) << collected.out;
    EXPECT_TRUE(backup("live_eth0"));
    EXPECT_FALSE(backup("dead_eth0"));
    EXPECT_TRUE(backup());
}

TEST_F(TuningInNetns, GcWithoutAListRemovesNothing)
{
    ASSERT_EQ(add(R"("mtu": 1400)").status, 0);

    EXPECT_EQ(call({.verb = "GC", .keys = "", .version = "1.1.0"}).status, 0);

    EXPECT_TRUE(backup());
}

}  // namespace
}  // namespace tortie
