// SPDX-License-Identifier: Apache-2.0
//
// etcd's certificates, and who may install. Source: spec calico-cni.md 5.2, 7.5; calico-v3.32.1.md
// 3 rows 14, 15; deploy.md 1.6.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/subprocess.h"
#include "cli/install_fixture.h"

namespace tortie {
namespace {

namespace fs = std::filesystem;
using test::content_of;
using test::install_env;
using test::kHostBin;
using test::kHostNet;
using test::mode_of;
using test::names_in;
using test::PluginOutcome;
using test::run_install;
using test::write_content;
using testing::ElementsAre;
using testing::HasSubstr;

using InstallEtcdAssets = test::InstallTest;
using InstallPrivileges = test::InstallTest;

const std::string kNet = std::string(kHostNet) + '/';
const std::string kConflist = kNet + "10-calico.conflist";

TEST_F(InstallEtcdAssets, AreCopiedAndNamed)
{
    write_content("/calico-secrets/etcd-ca", "ca", 0644);
    write_content("/calico-secrets/etcd-cert", "cert", 0644);
    write_content("/calico-secrets/etcd-key", "key marked-secret", 0644);
    write_content("/calico-secrets/.hidden", "hidden", 0644);
    write_content("/calico-secrets/other", "other", 0644);

    const std::string config =
        R"({"a":"__ETCD_CERT_FILE__","b":"__ETCD_CA_CERT_FILE__","c":"__ETCD_KEY_FILE__"})";

    const PluginOutcome outcome = run_install(install_env({{"CNI_NETWORK_CONFIG", config}}));

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(
        content_of(kConflist),
        R"({"a":"/etc/cni/net.d/calico-tls/etcd-cert","b":"/etc/cni/net.d/calico-tls/etcd-ca",)"
        R"("c":"/etc/cni/net.d/calico-tls/etcd-key"})");
    EXPECT_THAT(names_in(kNet + "calico-tls"), ElementsAre("etcd-ca", "etcd-cert", "etcd-key"));
    EXPECT_EQ(content_of(kNet + "calico-tls/etcd-cert"), "cert");
    EXPECT_EQ(mode_of(kNet + "calico-tls/etcd-key") & 07777U, 0600U);
    EXPECT_EQ(mode_of(kNet + "calico-tls") & 07777U, 0700U);
}

TEST_F(InstallEtcdAssets, MissingOnesAreNamedInTheLogAndEmptyInTheConfiguration)
{
    write_content("/secrets/etcd-cert", "cert");

    const PluginOutcome outcome = run_install(install_env(
        {{"TLS_ASSETS_DIR", "/secrets"},
         {"CNI_NETWORK_CONFIG", R"({"a":"__ETCD_CERT_FILE__","b":"__ETCD_KEY_FILE__"})"}}));

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("Missing etcd-ca\n"));
    EXPECT_THAT(outcome.err, HasSubstr("Missing etcd-key\n"));
    EXPECT_EQ(content_of(kConflist), R"({"a":"/etc/cni/net.d/calico-tls/etcd-cert","b":""})");
}

TEST_F(InstallEtcdAssets, OldOnesGoOnlyWhenTheRunSucceeds)
{
    write_content(kNet + "calico-tls/etcd-cert", "old");
    write_content(kNet + "calico-tls/extra", "old");

    ASSERT_EQ(run_install(install_env({{"CNI_NETWORK_CONFIG", "no JSON"}})).status, 1);
    EXPECT_EQ(content_of(kNet + "calico-tls/etcd-cert"), "old");

    ASSERT_EQ(run_install(install_env()).status, 0);
    EXPECT_FALSE(fs::exists(kNet + "calico-tls"));
}

TEST_F(InstallEtcdAssets, ALinkInPlaceOfTheirDirectoryIsNotFollowed)
{
    write_content("/tmp/precious/etcd-cert", "keep");
    fs::create_directory_symlink("/tmp/precious", kNet + "calico-tls");

    EXPECT_EQ(run_install(install_env()).status, 0);
    EXPECT_EQ(content_of("/tmp/precious/etcd-cert"), "keep");

    write_content("/calico-secrets/etcd-cert", "new");
    EXPECT_EQ(run_install(install_env()).status, 1);
    EXPECT_EQ(content_of("/tmp/precious/etcd-cert"), "keep");
}

TEST_F(InstallPrivileges, AnotherUserIsRefusedWithTheTwoLinesThatCureIt)
{
    ASSERT_EQ(::chmod(kHostBin, 0777), 0);
    ASSERT_EQ(::chmod(kHostNet, 0777), 0);

    const auto exit = run_command({.argv = {"/usr/bin/setpriv", "--reuid=65532", "--regid=65532",
                                            "--clear-groups", test::kInstallProgram},
                                   .env = {"SLEEP=false"},
                                   .input = {}});

    ASSERT_EQ(::chmod(kHostBin, 0755), 0);
    ASSERT_EQ(::chmod(kHostNet, 0755), 0);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->status, 1);
    EXPECT_THAT(exit->diagnostics, HasSubstr("install runs as uid 65532 and must be root"));
    EXPECT_THAT(exit->diagnostics, HasSubstr("securityContext:\n            runAsUser: 0\n"));
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
    EXPECT_THAT(names_in(kHostNet), ElementsAre());
}

TEST_F(InstallPrivileges, BorrowedOnesAreRefused)
{
    fs::copy_file(test::kInstallProgram, "/tmp/install");
    ASSERT_EQ(::chown("/tmp/install", 1234, 1234), 0);
    ASSERT_EQ(::chmod("/tmp/install", 04755), 0);

    const PluginOutcome outcome = test::run_plugin(
        {.binary = "/tmp/install", .env = install_env(), .input = "", .arguments = {}});

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("refusing to run with borrowed privileges"));
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
}

TEST_F(InstallPrivileges, HelpAndVersionNeedNone)
{
    const PluginOutcome help = run_install({}, {"--help"});
    const PluginOutcome version = run_install({}, {"--version"});
    const PluginOutcome nonsense = run_install({}, {"--frobnicate"});

    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr("/host/etc/cni/net.d"));
    EXPECT_EQ(version.status, 0);
    EXPECT_THAT(version.out, testing::MatchesRegex("[0-9.]+\n"));
    EXPECT_EQ(nonsense.status, 2);
    EXPECT_THAT(nonsense.err, HasSubstr("install --help"));
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
}

}  // namespace
}  // namespace tortie
