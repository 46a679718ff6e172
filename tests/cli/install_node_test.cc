// SPDX-License-Identifier: Apache-2.0
//
// What `install` says about a node, how it switches the datapath, and how it goes.
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/install_fixture.h"

namespace tortie {
namespace {

using test::content_of;
using test::install_env;
using test::kHostBin;
using test::kHostNet;
using test::names_in;
using test::PluginOutcome;
using test::run_install;
using test::write_content;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using InstallDatapath = test::InstallTest;
using InstallStatus = test::InstallInPodTest;
using InstallUninstall = test::InstallInPodTest;

const std::string kBin = std::string(kHostBin) + '/';
const std::string kNet = std::string(kHostNet) + '/';
const std::string kConflist = kNet + "10-calico.conflist";

PluginOutcome ask(const std::vector<std::string> &arguments)
{
    return run_install({}, arguments);
}

TEST_F(InstallDatapath, GoesIntoPortmapsEntryAlone)
{
    const std::string config = R"({"plugins":[{"type":"calico"},{"type":"portmap","snat":true}]})";

    ASSERT_EQ(
        run_install(install_env({{"CNI_NETWORK_CONFIG", config}, {"TORTIE_DATAPATH", "netfilter"}}))
            .status,
        0);

    EXPECT_EQ(
        content_of(kConflist),
        R"({"plugins":[{"type":"calico"},{"datapath": "netfilter", "type":"portmap","snat":true}]})");
}

TEST_F(InstallDatapath, AWordOfTheTemplateWins)
{
    const std::string config = R"({"plugins":[{"type":"portmap","datapath":"ebpf"}]})";

    ASSERT_EQ(
        run_install(install_env({{"CNI_NETWORK_CONFIG", config}, {"TORTIE_DATAPATH", "netfilter"}}))
            .status,
        0);

    EXPECT_EQ(content_of(kConflist), config);
}

TEST_F(InstallDatapath, IsRefusedWhenItIsNone)
{
    const PluginOutcome outcome = run_install(install_env({{"TORTIE_DATAPATH", "fast"}}));

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("TORTIE_DATAPATH is \"fast\", not auto, ebpf"));
    EXPECT_THAT(names_in(kHostNet), ElementsAre());
}

TEST_F(InstallDatapath, ASwitchByHandSurvivesTheNextInstall)
{
    ASSERT_EQ(run_install(install_env({{"TORTIE_DISABLE", "bpf_syscall"}})).status, 0);

    ASSERT_EQ(ask({"datapath", "netfilter"}).status, 0);
    EXPECT_THAT(content_of(kConflist), HasSubstr("\"datapath\": \"netfilter\", "));

    ASSERT_EQ(run_install(install_env()).status, 0);
    EXPECT_THAT(content_of(kConflist), HasSubstr("\"datapath\": \"netfilter\", "));

    ASSERT_EQ(ask({"datapath", "auto"}).status, 0);
    EXPECT_THAT(content_of(kConflist), Not(HasSubstr("datapath")));
    EXPECT_THAT(names_in(kHostNet), Not(testing::Contains("tortie.datapath")));
}

TEST_F(InstallDatapath, OneWithoutBpfIsNetfilterAndTheReportSaysWhy)
{
    const PluginOutcome outcome = run_install(install_env({{"TORTIE_DISABLE", "bpf_syscall"}}));

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(content_of(kConflist), HasSubstr("\"datapath\": \"netfilter\", "));
    EXPECT_THAT(content_of(kNet + "tortie.capabilities"), HasSubstr("bpf_syscall"));
    EXPECT_THAT(outcome.err, HasSubstr("Host ports: datapath netfilter"));
}

TEST_F(InstallStatus, SaysThatNothingIsInstalled)
{
    const PluginOutcome outcome = ask({"status"});

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("BAD  files       nothing is recorded as installed"));
    EXPECT_THAT(outcome.out, HasSubstr("-> run the container install-cni"));
}

TEST_F(InstallStatus, IsGoodOnANodeThatIs)
{
    serve({gives_tokens(), answers(200, R"({"gitVersion":"v1.30.1"})")});
    ASSERT_EQ(run_install(pod_env()).status, 0);

    const PluginOutcome outcome = ask({"status"});

    EXPECT_EQ(outcome.status, 0) << outcome.out;
    EXPECT_THAT(outcome.out, HasSubstr("ok   files       5 as they were installed"));
    EXPECT_THAT(outcome.out, HasSubstr("ok   network     10-calico.conflist, datapath "));
    EXPECT_THAT(outcome.out, HasSubstr("ok   datastore   Kubernetes v1.30.1 answers"));
    EXPECT_THAT(outcome.out, HasSubstr("This node is all right.\n"));
}

TEST_F(InstallStatus, NamesWhatIsWrongAndWhatToDo)
{
    serve({gives_tokens()});
    ASSERT_EQ(run_install(pod_env()).status, 0);
    write_content(kBin + "portmap", "of somebody else", 0755);
    write_content(kNet + "00-other.conflist", R"({"plugins":[{"type":"bridge"}]})");

    const PluginOutcome outcome = ask({"status"});

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("changed by somebody else: /host/opt/cni/bin/portmap"));
    EXPECT_THAT(outcome.out, HasSubstr("the runtime uses /host/etc/cni/net.d/00-other.conflist"));
    EXPECT_THAT(outcome.out, HasSubstr("-> pods cannot start until the API server answers"));
    EXPECT_THAT(outcome.out, Not(HasSubstr("marked-secret")));
}

TEST_F(InstallStatus, DumpsEverythingButSecrets)
{
    serve({gives_tokens()});
    write_content("/calico-secrets/etcd-key", "marked-secret");
    ASSERT_EQ(run_install(
                  pod_env({{"CNI_NETWORK_CONFIG",
                            R"({"plugins":[{"type":"calico","etcd_password":"marked-secret"}]})"}}))
                  .status,
              0);

    const PluginOutcome outcome = ask({"dump"});

    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out.size() % 512, 0U);
    for (const char *part : {"status.txt", "metrics.prom", "files.txt", "net.d/10-calico.conflist",
                             "net.d/tortie.files", "<removed>", "/host/opt/cni/bin/calico"})
        EXPECT_THAT(outcome.out, HasSubstr(part));
    EXPECT_THAT(outcome.out, Not(HasSubstr("marked-secret")));
}

TEST_F(InstallUninstall, RemovesWhatItWroteAndNothingElse)
{
    serve({gives_tokens()});
    write_content("/calico-secrets/etcd-cert", "cert");
    write_content(kBin + "bridge", "of somebody else", 0755);
    write_content(kNet + "20-other.conflist", "of somebody else");
    ASSERT_EQ(run_install(pod_env()).status, 0);
    write_content(kBin + "portmap", "changed since", 0755);

    const PluginOutcome outcome = ask({"uninstall"});

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(names_in(kHostBin), ElementsAre("bridge", "portmap"));
    EXPECT_THAT(names_in(kHostNet), ElementsAre("20-other.conflist"));
    EXPECT_THAT(outcome.out,
                HasSubstr("kept, changed since it was installed: /host/opt/cni/bin/portmap"));
    EXPECT_THAT(outcome.out, HasSubstr("removed /host/opt/cni/bin/calico\n"));
    EXPECT_LT(outcome.out.find("10-calico.conflist"), outcome.out.find("bin/calico"));

    EXPECT_EQ(ask({"uninstall"}).status, 0);
}

TEST_F(InstallUninstall, CommandsRefuseArgumentsThatMeanNothing)
{
    for (const std::vector<std::string> &arguments :
         std::vector<std::vector<std::string>>{{"uninstall", "x"},
                                               {"status", "-x"},
                                               {"datapath"},
                                               {"datapath", "ebpf"},
                                               {"dump", "x"},
                                               {"status", "--root"},
                                               {"probe", "--frobnicate"}}) {
        EXPECT_EQ(ask(arguments).status, 2) << arguments.front();
    }
}

}  // namespace
}  // namespace tortie
