// SPDX-License-Identifier: Apache-2.0
//
// SLEEP=true. Source: spec calico-cni.md 5.4, Q19.
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/install_fixture.h"

namespace tortie {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::content_of;
using test::HttpPeer;
using test::InstallEnv;
using test::kGivenToken;
using test::kHostNet;
using test::kPodSecrets;
using test::mode_of;
using test::RunningInstall;
using test::write_content;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using InstallSleep = test::InstallInPodTest;

const std::string kNet = std::string(kHostNet) + '/';
const std::string kKubeconfig = kNet + "calico-kubeconfig";

TEST_F(InstallSleep, IsTheDefaultAndASignalEndsItAtOnce)
{
    serve({gives_tokens()});
    InstallEnv env = pod_env();
    env.erase("SLEEP");
    RunningInstall installer(env);
    ASSERT_TRUE(installer.waits_to_log("Done configuring CNI.  Sleep= true\n", seconds(10)))
        << installer.log();

    EXPECT_EQ(installer.end_with(SIGTERM, seconds(1)), 128 + SIGTERM);
}

TEST_F(InstallSleep, ASignalEndsItAsProcessOneOfAContainer)
{
    serve({gives_tokens()});
    RunningInstall installer(pod_env({{"SLEEP", "true"}}),
                             {"/usr/bin/unshare", "--pid", "--fork", "--kill-child"});
    ASSERT_TRUE(installer.waits_to_log("Sleep= true", seconds(10))) << installer.log();
    const std::string task = "/proc/" + std::to_string(installer.pid());
    pid_t inside = 0;
    std::ifstream(task + "/task/" + std::to_string(installer.pid()) + "/children") >> inside;
    ASSERT_GT(inside, 0);

    EXPECT_EQ(installer.end_with(SIGTERM, seconds(1), inside), 128 + SIGTERM);
}

TEST_F(InstallSleep, ASignalEndsItWhileItWaitsForTheServer)
{
    serve({[](HttpPeer &peer) {
        peer.request();
        peer.request();
    }});
    RunningInstall installer(pod_env({{"TORTIE_API_TIMEOUT", "20s"}}));
    ASSERT_TRUE(test::becomes_true(seconds(10), [&] { return !server().requests().empty(); }));

    EXPECT_EQ(installer.end_with(SIGTERM, seconds(1)), 128 + SIGTERM);
    EXPECT_THAT(configurations(), ElementsAre());
}

TEST_F(InstallSleep, RenewsTheTokenBeforeItEnds)
{
    serve({gives_tokens(), gives_tokens(), gives_tokens(), gives_tokens()});
    RunningInstall installer(pod_env({{"SLEEP", "true"}, {"CNI_TOKEN_REFRESH_INTERVAL", "100ms"}}));

    EXPECT_TRUE(installer.waits_to_log("Renewed the token in", seconds(10))) << installer.log();

    EXPECT_TRUE(test::becomes_true(seconds(5), [&] { return server().requests().size() >= 2; }));
    EXPECT_EQ(mode_of(kKubeconfig) & 07777U, 0600U);
    EXPECT_THAT(installer.log(), Not(HasSubstr("marked-secret")));
}

TEST_F(InstallSleep, RenewsTheTokenWhenKubeletSwapsItsOwn)
{
    serve({gives_tokens(), gives_tokens()});
    write_content(std::string(kPodSecrets) + "/..1/token", "first-token-marked-secret");
    fs::create_symlink("..1", std::string(kPodSecrets) + "/..data");
    fs::remove(std::string(kPodSecrets) + "/token");
    fs::create_symlink("..data/token", std::string(kPodSecrets) + "/token");
    RunningInstall installer(pod_env({{"SLEEP", "true"}}));
    ASSERT_TRUE(installer.waits_to_log("Sleep= true", seconds(10))) << installer.log();

    write_content(std::string(kPodSecrets) + "/..2/token", "second-token-marked-secret");
    fs::create_symlink("..2", std::string(kPodSecrets) + "/..data_tmp");
    fs::rename(std::string(kPodSecrets) + "/..data_tmp", std::string(kPodSecrets) + "/..data");

    EXPECT_TRUE(installer.waits_to_log("Renewed the token in", seconds(10))) << installer.log();
    EXPECT_THAT(server().requests().back(), HasSubstr("Bearer second-token-marked-secret\r\n"));
}

TEST_F(InstallSleep, GoesOnWhenARenewalFails)
{
    serve({gives_tokens()});
    RunningInstall installer(pod_env({{"SLEEP", "true"},
                                      {"TORTIE_API_TIMEOUT", "300ms"},
                                      {"CNI_TOKEN_REFRESH_INTERVAL", "50ms"}}));

    EXPECT_TRUE(installer.waits_to_log("Failed to renew the CNI token", seconds(15)))
        << installer.log();
    EXPECT_THAT(content_of(kKubeconfig), HasSubstr(kGivenToken));
    EXPECT_EQ(installer.end_with(SIGTERM, seconds(1)), 128 + SIGTERM);
}

TEST_F(InstallSleep, CopiesEtcdCertificatesWheneverTheyAreSwapped)
{
    const std::string secrets = "/calico-secrets";
    write_content(secrets + "/..1/etcd-cert", "first");
    fs::create_symlink("..1", secrets + "/..data");
    fs::create_symlink("..data/etcd-cert", secrets + "/etcd-cert");
    RunningInstall installer(test::install_env({{"SLEEP", "true"}}));
    ASSERT_TRUE(installer.waits_to_log("Sleep= true", seconds(10))) << installer.log();
    const std::string copy = kNet + "calico-tls/etcd-cert";
    EXPECT_EQ(content_of(copy), "first");

    for (const std::string round : {"2", "3"}) {  // the second swap is the one that is easily lost
        write_content(secrets + "/.." + round + "/etcd-cert", "round " + round);
        fs::create_symlink(".." + round, secrets + "/..data_tmp");
        fs::rename(secrets + "/..data_tmp", secrets + "/..data");
        EXPECT_TRUE(test::becomes_true(seconds(10), [&] {
            return content_of(copy) == "round " + round;
        })) << installer.log();
    }
}

TEST_F(InstallSleep, StaysWithoutAnythingToWatch)
{
    RunningInstall installer(test::install_env({{"SLEEP", "true"}}));

    EXPECT_TRUE(installer.waits_to_log("Sleep= true", seconds(10)));
    EXPECT_EQ(installer.end_with(0, milliseconds(300)), -1);
}

}  // namespace
}  // namespace tortie
