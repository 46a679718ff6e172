// SPDX-License-Identifier: Apache-2.0
//
// The plugins on the host. Source: spec calico-cni.md 5.2, 5.3 and 7.5; calico-v3.32.1.md 3.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/install_fixture.h"

namespace tortie {
namespace {

namespace fs = std::filesystem;
using test::content_of;
using test::install_env;
using test::kHostBin;
using test::kHostNet;
using test::kImageBin;
using test::mode_of;
using test::Mounted;
using test::names_in;
using test::PluginOutcome;
using test::run_install;
using test::write_content;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using InstallBinaries = test::InstallTest;

const std::string kBin = std::string(kHostBin) + '/';
const std::string kSecondary = "/host/secondary-bin-dir/";

// The texts stand in the log one after the other.
void expect_in_order(const std::string &log, const std::vector<std::string> &texts)
{
    std::size_t at = 0;
    for (const std::string &text : texts) {
        const std::size_t found = log.find(text, at);
        ASSERT_NE(found, std::string::npos) << text << "\nis not, or too early, in\n" << log;
        at = found + text.size();
    }
}

TEST_F(InstallBinaries, InstallsEveryPluginOfTheImageAndNotItself)
{
    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(names_in(kHostBin), ElementsAre("calico", "calico-ipam", "host-local", "portmap"));
    EXPECT_EQ(content_of(kBin + "portmap"), "portmap of the image");
    EXPECT_EQ(mode_of(kBin + "portmap"), S_IFREG | 0755U);
    expect_in_order(
        outcome.err,
        {"No TLS assets found in /calico-secrets, skipping", "Installed /host/opt/cni/bin/calico\n",
         "Installed /host/opt/cni/bin/calico-ipam\n", "Installed /host/opt/cni/bin/host-local\n",
         "Installed /host/opt/cni/bin/portmap\n",
         "Wrote Calico CNI binaries to /host/opt/cni/bin\n",
         "CNI plugin version: ", "/host/secondary-bin-dir is not writeable, skipping",
         "Created /host/etc/cni/net.d/10-calico.conflist\n",
         "Done configuring CNI.  Sleep= false\n"});
}

TEST_F(InstallBinaries, LogsInCalicosForm)
{
    const PluginOutcome outcome = run_install(install_env());

    EXPECT_THAT(outcome.err,
                testing::ContainsRegex("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+ \\[INFO\\]\\[[0-9]+\\] "
                                       "cni-installer/[a-z_]+\\.cc [0-9]+: Done configuring CNI"));
}

TEST_F(InstallBinaries, CalicoIpamIsARegularFileOnTheHost)
{
    ASSERT_EQ(run_install(install_env()).status, 0);

    EXPECT_TRUE(S_ISREG(mode_of(kBin + "calico-ipam")));
    EXPECT_EQ(content_of(kBin + "calico-ipam"), "calico of the image");
}

TEST_F(InstallBinaries, LeavesFilesAloneThatAreUpToDate)
{
    ASSERT_EQ(run_install(install_env()).status, 0);
    const auto before = fs::last_write_time(kBin + "portmap");

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("File is already up to date, skipping"));
    EXPECT_THAT(outcome.err, HasSubstr("Installed /host/opt/cni/bin/portmap"));
    EXPECT_EQ(fs::last_write_time(kBin + "portmap"), before);
}

// Sizes, bytes and modes: what counts as another file (spec calico-cni.md 7.5 "File compare").
TEST_F(InstallBinaries, ReplacesWhatDiffersInSizeBytesOrMode)
{
    const std::string big(200'000, 'b');
    std::string late = big;
    late.back() = 'c';
    write_content(std::string(kImageBin) + "/big", big, 0755);
    write_content(std::string(kImageBin) + "/short", "s", 0755);
    write_content(kBin + "portmap", "portmap of the imagE", 0755);
    write_content(kBin + "host-local", "host-local of the image", 0700);
    write_content(kBin + "big", late, 0755);
    write_content(kBin + "short", big, 0755);
    write_content(kBin + "calico", "half", 0755);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.err, Not(HasSubstr("already up to date")));
    EXPECT_EQ(content_of(kBin + "portmap"), "portmap of the image");
    EXPECT_EQ(mode_of(kBin + "host-local") & 07777U, 0755U);
    EXPECT_EQ(content_of(kBin + "big"), big);
    EXPECT_EQ(content_of(kBin + "short"), "s");
    EXPECT_EQ(content_of(kBin + "calico"), "calico of the image");
}

TEST_F(InstallBinaries, ReplacesAPluginThatIsRunning)
{
    fs::copy_file("/usr/bin/sleep", kBin + "portmap");
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execl((kBin + "portmap").c_str(), "portmap", "30", nullptr);
        ::_exit(1);
    }
    ASSERT_TRUE(test::becomes_true(std::chrono::seconds(5), [&] {
        return fs::exists("/proc/" + std::to_string(pid) + "/exe") &&
               fs::read_symlink("/proc/" + std::to_string(pid) + "/exe") == kBin + "portmap";
    }));

    const PluginOutcome outcome = run_install(install_env());

    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(content_of(kBin + "portmap"), "portmap of the image");
}

TEST_F(InstallBinaries, SkipsPluginsByExactName)
{
    const PluginOutcome outcome =
        run_install(install_env({{"SKIP_CNI_BINARIES", "portmap,calico"}}));

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(names_in(kHostBin), ElementsAre("calico-ipam", "host-local"));
    EXPECT_THAT(outcome.err, HasSubstr("SKIP_CNI_BINARIES names a plugin that Calico's network"));
    EXPECT_THAT(outcome.err, Not(HasSubstr("CNI plugin version")));
}

TEST_F(InstallBinaries, DoesNotTrimNamesToSkip)
{
    ASSERT_EQ(run_install(install_env({{"SKIP_CNI_BINARIES", "x, portmap"}})).status, 0);

    EXPECT_EQ(content_of(kBin + "portmap"), "portmap of the image");
}

TEST_F(InstallBinaries, KeepsExistingFilesWhenToldNotToUpdate)
{
    write_content(kBin + "calico", "older", 0755);

    const PluginOutcome outcome = run_install(install_env({{"UPDATE_CNI_BINARIES", "false"}}));

    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(content_of(kBin + "calico"), "older");
    EXPECT_EQ(content_of(kBin + "portmap"), "portmap of the image");
    EXPECT_THAT(outcome.err, HasSubstr("Skipping installation of /host/opt/cni/bin/calico\n"));
    EXPECT_THAT(outcome.err, Not(HasSubstr("CNI plugin version")));
}

TEST_F(InstallBinaries, UsesTheSecondaryDirectoryWhenTheFirstIsReadOnly)
{
    const Mounted read_only = Mounted::read_only(kHostBin);
    fs::create_directories(kSecondary);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("/host/opt/cni/bin is not writeable, skipping"));
    EXPECT_EQ(content_of(kSecondary + "calico"), "calico of the image");
}

TEST_F(InstallBinaries, FillsBothDirectoriesWhenBothAreWritable)
{
    fs::create_directories(kSecondary);

    ASSERT_EQ(run_install(install_env()).status, 0);

    EXPECT_EQ(names_in(kHostBin), names_in(kSecondary));
}

TEST_F(InstallBinaries, FailsWhenNoDirectoryIsWritable)
{
    const Mounted read_only = Mounted::read_only(kHostBin);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("found no writeable directory, exiting"));
    EXPECT_THAT(configurations(), ElementsAre());
}

TEST_F(InstallBinaries, AcceptsAReadOnlyDirectoryThatHoldsCalicoWhenToldNotToUpdate)
{
    write_content(kBin + "calico", "theirs", 0755);
    write_content(kBin + "calico-ipam", "theirs", 0755);
    const Mounted read_only = Mounted::read_only(kHostBin);

    const PluginOutcome outcome = run_install(install_env({{"UPDATE_CNI_BINARIES", "false"}}));

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.err,
                HasSubstr("No writeable CNI bin directory found but [calico calico-ipam] already "
                          "exist at /host/opt/cni/bin and UPDATE_CNI_BINARIES=false; continuing"));
}

TEST_F(InstallBinaries, RefusesAReadOnlyDirectoryWithoutCalicoIpam)
{
    write_content(kBin + "calico", "theirs", 0755);
    const Mounted read_only = Mounted::read_only(kHostBin);

    EXPECT_EQ(run_install(install_env({{"UPDATE_CNI_BINARIES", "false"}})).status, 1);
}

TEST_F(InstallBinaries, TakesCalicoFromUsrBinWhenSomethingIsMountedOverTheImagesDirectory)
{
    fs::remove_all(kImageBin);
    const Mounted usr_bin = Mounted::tmpfs("/usr/bin", "mode=0755");
    write_content("/usr/bin/calico", "calico of /usr/bin", 0755);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(names_in(kHostBin), ElementsAre("calico", "calico-ipam"));
    EXPECT_EQ(content_of(kBin + "calico-ipam"), "calico of /usr/bin");
}

TEST_F(InstallBinaries, FailsWithoutAnyPluginBeforeItChangesAnything)
{
    fs::remove_all(kImageBin);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("open /opt/cni/bin: no such file or directory"));
    EXPECT_THAT(names_in(kHostNet), ElementsAre());
}

TEST_F(InstallBinaries, PassesOverADirectoryInTheImage)
{
    fs::create_directories(std::string(kImageBin) + "/lib");

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("a directory among the plugins is not installed"));
}

TEST_F(InstallBinaries, RefusesATargetThatIsALink)
{
    write_content("/tmp/elsewhere", "of somebody else");
    fs::create_symlink("/tmp/elsewhere", kBin + "portmap");

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("Failed to install /host/opt/cni/bin/portmap"));
    EXPECT_THAT(outcome.err, HasSubstr("is a symbolic link: remove it on the host"));
    EXPECT_EQ(content_of("/tmp/elsewhere"), "of somebody else");
    EXPECT_THAT(names_in(kHostBin), ElementsAre("portmap"));
}

TEST_F(InstallBinaries, RefusesATargetThatIsADirectoryAndLeavesTheOthersAsTheyWere)
{
    fs::create_directories(kBin + "portmap");
    write_content(kBin + "calico", "older", 0755);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("portmap is not a regular file"));
    EXPECT_EQ(content_of(kBin + "calico"), "older");
    EXPECT_THAT(names_in(kHostBin), ElementsAre("calico", "portmap"));
}

TEST_F(InstallBinaries, LeavesFilesOfOthersAlone)
{
    write_content(kBin + ".touch", "of somebody else");
    write_content(kBin + "calico.tmp", "of somebody else");

    ASSERT_EQ(run_install(install_env()).status, 0);

    EXPECT_EQ(content_of(kBin + ".touch"), "of somebody else");
    EXPECT_EQ(content_of(kBin + "calico.tmp"), "of somebody else");
}

TEST_F(InstallBinaries, RemovesWhatAKilledInstallerLeft)
{
    write_content(kBin + ".calico.tortie-new", "half of it");
    write_content(std::string(kHostNet) + "/.calico-kubeconfig.tortie-new", "half of it");

    ASSERT_EQ(run_install(install_env()).status, 0);

    EXPECT_THAT(names_in(kHostBin), ElementsAre("calico", "calico-ipam", "host-local", "portmap"));
    EXPECT_THAT(configurations(), ElementsAre("10-calico.conflist"));
}

TEST_F(InstallBinaries, NeverInstallsBorrowedRights)
{
    write_content(std::string(kImageBin) + "/portmap", "portmap of the image", 06777);

    ASSERT_EQ(run_install(install_env()).status, 0);

    EXPECT_EQ(mode_of(kBin + "portmap") & 07777U, 0755U);
}

TEST_F(InstallBinaries, GivesFilesToRootInADirectoryThatPassesItsGroupOn)
{
    ASSERT_EQ(::chown(kHostBin, 0, 1234), 0);
    ASSERT_EQ(::chmod(kHostBin, 02775), 0);

    ASSERT_EQ(run_install(install_env()).status, 0);

    struct stat st {};
    ASSERT_EQ(::stat((kBin + "calico").c_str(), &st), 0);
    EXPECT_EQ(st.st_gid, 0U);
    ASSERT_EQ(::chown(kHostBin, 0, 0), 0);
    ASSERT_EQ(::chmod(kHostBin, 0755), 0);
}

TEST_F(InstallBinaries, KeepsTheSelinuxLabelOfWhatItReplaces)
{
    write_content(kBin + "calico", "older", 0755);
    const std::string label = "system_u:object_r:bin_t:s0";
    if (::setxattr((kBin + "calico").c_str(), "security.selinux", label.data(), label.size(), 0) <
        0)
        GTEST_SKIP() << "this file system has no security.selinux";

    ASSERT_EQ(run_install(install_env()).status, 0);

    char now[256] = {};
    const ssize_t size = ::getxattr((kBin + "calico").c_str(), "security.selinux", now, sizeof now);
    EXPECT_EQ(std::string(now, size < 0 ? 0 : static_cast<std::size_t>(size)), label);
}

TEST_F(InstallBinaries, FailsWhenAVariableIsNoBoolean)
{
    for (const char *name : {"UPDATE_CNI_BINARIES", "SLEEP"}) {
        for (const char *value : {"", "yes", "tRue"}) {
            const PluginOutcome outcome = run_install(install_env({{name, value}}));
            EXPECT_EQ(outcome.status, 1) << name << value;
            EXPECT_THAT(outcome.err, HasSubstr(name));
        }
    }
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
    EXPECT_EQ(run_install(install_env({{"SLEEP", "F"}, {"UPDATE_CNI_BINARIES", "T"}})).status, 0);
}

TEST_F(InstallBinaries, SecondInstallerAtTheSameTimeSucceedsToo)
{
    std::vector<std::unique_ptr<test::RunningInstall>> all;
    for (int i = 0; i < 4; ++i)
        all.push_back(std::make_unique<test::RunningInstall>(install_env()));

    for (const auto &one : all)
        EXPECT_EQ(one->end_with(0, std::chrono::seconds(20)), 0) << one->log();
    EXPECT_THAT(names_in(kHostBin), ElementsAre("calico", "calico-ipam", "host-local", "portmap"));
}

}  // namespace
}  // namespace tortie
