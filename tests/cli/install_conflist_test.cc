// SPDX-License-Identifier: Apache-2.0
//
// The configuration, etcd's certificates, and who may install. Source: spec calico-cni.md 5.1, 5.2,
// 7.5; calico-v3.32.1.md 3.
#include <sys/stat.h>
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
using test::InstallEnv;
using test::kHostBin;
using test::kHostNet;
using test::mode_of;
using test::Mounted;
using test::names_in;
using test::PluginOutcome;
using test::run_install;
using test::write_content;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using InstallConflist = test::InstallTest;

const std::string kNet = std::string(kHostNet) + '/';
const std::string kConflist = kNet + "10-calico.conflist";

std::string built_in(const std::string &version)
{
    return R"({
  "name": "k8s-pod-network",
  "cniVersion": ")" +
           version + R"(",
  "plugins": [
    {
      "type": "calico",
      "log_level": "info",
      "log_file_path": "/var/log/calico/cni/cni.log",
      "datastore_type": "kubernetes",
      "nodename": "my-node",
      "mtu": 1500,
      "ipam": {"type": "calico-ipam"},
      "policy": {"type": "k8s"},
      "kubernetes": {"kubeconfig": "/etc/cni/net.d/calico-kubeconfig"},
      "require_mtu_file": false,
      "calico_api_group": "crd.projectcalico.org/v1"
    },
    {
      "type": "portmap",
      "snat": true,
      "capabilities": {"portMappings": true}
    }
  ]
})";
}

std::string rendered(const std::string &config, InstallEnv env = {})
{
    env["CNI_NETWORK_CONFIG"] = config;
    const PluginOutcome outcome = run_install(install_env(env));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return content_of(kConflist);
}

// What this machine's kernel can is written into it where that is certain.
std::string without_datapath(std::string text)
{
    const std::size_t at = text.find("\"datapath\": ");
    return at == std::string::npos ? text : text.erase(at, text.find(", ", at) + 2 - at);
}

TEST_F(InstallConflist, BuiltInOneIsThatOfTheReleaseByteForByte)
{
    ASSERT_EQ(run_install(install_env()).status, 0);

    EXPECT_EQ(without_datapath(content_of(kConflist)), built_in("0.3.1"));
    EXPECT_EQ(mode_of(kConflist), S_IFREG | 0600U);
}

TEST_F(InstallConflist, BuiltInOneHasTheLaterVersionWhenCalledAsLaterImagesDo)
{
    ASSERT_EQ(run_install(install_env(), {"component", "cni", "install"}).status, 0);

    EXPECT_EQ(without_datapath(content_of(kConflist)), built_in("1.0.0"));
}

TEST_F(InstallConflist, ReplacesEveryPlaceholder)
{
    const std::string config =
        R"({"a":["__LOG_LEVEL__","__LOG_FILE_PATH__","__LOG_FILE_MAX_SIZE__",)"
        R"("__LOG_FILE_MAX_AGE__","__LOG_FILE_MAX_COUNT__",)"
        R"("__DATASTORE_TYPE__","__KUBERNETES_NODE_NAME__",)"
        R"("__KUBECONFIG_FILEPATH__",__CNI_MTU__,)"
        R"("__KUBERNETES_SERVICE_HOST__","__KUBERNETES_SERVICE_PORT__",)"
        R"("__SERVICEACCOUNT_TOKEN__","__CALICO_API_GROUP__",)"
        R"("__ETCD_CERT_FILE__","__ETCD_CA_CERT_FILE__","__ETCD_KEY_FILE__",)"
        R"("__ETCD_ENDPOINTS__","__ETCD_DISCOVERY_SRV__",)"
        R"(__REQUIRE_MTU_FILE__,"__NOT_OURS__","__LOG_LEVEL__"]})";

    EXPECT_EQ(
        rendered(config),
        R"({"a":["info","/var/log/calico/cni/cni.log","100","30","10","kubernetes","my-node",)"
        R"("/etc/cni/net.d/calico-kubeconfig",1500,"","","","crd.projectcalico.org/v1",)"
        R"("","","","","",false,"__NOT_OURS__","info"]})");
    EXPECT_EQ(rendered(config, {{"LOG_LEVEL", "debug"},
                                {"LOG_FILE_PATH", "/l"},
                                {"LOG_FILE_MAX_SIZE", "1"},
                                {"LOG_FILE_MAX_AGE", "2"},
                                {"LOG_FILE_MAX_COUNT", "3"},
                                {"DATASTORE_TYPE", "etcdv3"},
                                {"KUBERNETES_NODE_NAME", "n2"},
                                {"CNI_NET_DIR", "/var/run/multus/cni/net.d"},
                                {"CNI_MTU", "0"},
                                {"KUBERNETES_SERVICE_HOST", "fd00::1"},
                                {"KUBERNETES_SERVICE_PORT", "6443"},
                                {"CALICO_API_GROUP", ""},
                                {"ETCD_ENDPOINTS", "https://192.0.2.1:2379"},
                                {"ETCD_DISCOVERY_SRV", "srv.example"},
                                {"REQUIRE_MTU_FILE", "true"}}),
              R"({"a":["debug","/l","1","2","3","etcdv3","n2",)"
              R"("/var/run/multus/cni/net.d/calico-kubeconfig",0,"fd00::1","6443","","",)"
              R"("","","","https://192.0.2.1:2379","srv.example",true,"__NOT_OURS__","debug"]})");
}

TEST_F(InstallConflist, ReplacesInUpstreamsOrderSoThatValuesMayHoldLaterPlaceholders)
{
    EXPECT_EQ(rendered(R"({"a":"__LOG_LEVEL__"})", {{"LOG_LEVEL", "__CNI_MTU__-__LOG_LEVEL__"}}),
              R"({"a":"1500-__LOG_LEVEL__"})");
}

TEST_F(InstallConflist, TakesEmptyValuesAsTheyAre)
{
    EXPECT_EQ(rendered(R"({"a":"__LOG_LEVEL__","b":"__KUBERNETES_NODE_NAME__"})",
                       {{"LOG_LEVEL", ""}, {"KUBERNETES_NODE_NAME", ""}}),
              R"({"a":"","b":""})");
}

TEST_F(InstallConflist, NamesTheNodeAfterTheMachineWhenNobodySaysOtherwise)
{
    InstallEnv env = install_env({{"CNI_NETWORK_CONFIG", R"({"a":"__KUBERNETES_NODE_NAME__"})"}});
    env.erase("KUBERNETES_NODE_NAME");
    char name[256] = {};
    ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
    std::string lower(name);
    for (char &c : lower)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));

    ASSERT_EQ(run_install(env).status, 0);

    EXPECT_EQ(content_of(kConflist), R"({"a":")" + lower + R"("})");
}

TEST_F(InstallConflist, WritesACustomOneAsItIs)
{
    EXPECT_EQ(rendered("{}"), "{}");
    EXPECT_EQ(rendered(" {\"a\" : 1}\n\n"), " {\"a\" : 1}\n\n");
}

TEST_F(InstallConflist, FileBeatsVariable)
{
    write_content("/tmp/config", R"({"from":"file"})");

    EXPECT_EQ(rendered(R"({"from":"variable"})", {{"CNI_NETWORK_CONFIG_FILE", "/tmp/config"}}),
              R"({"from":"file"})");
}

TEST_F(InstallConflist, FailsWhenTheFileCannotBeRead)
{
    const PluginOutcome outcome =
        run_install(install_env({{"CNI_NETWORK_CONFIG_FILE", "/tmp/none"}}));

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("open /tmp/none: no such file or directory"));
}

TEST_F(InstallConflist, RefusesWhatIsNoJsonObjectAndShowsNothingOfIt)
{
    write_content(kConflist, "the old one", 0600);
    for (const std::string bad : {"null", "[]", "\"x\"", "{} {}", "\xef\xbb\xbf{}", "{\"a\":1e999}",
                                  "{", "{\"secret\": bad}", "{\"secret\" 1}", "secret"}) {
        const PluginOutcome outcome = run_install(install_env({{"CNI_NETWORK_CONFIG", bad}}));
        EXPECT_EQ(outcome.status, 1) << bad;
        EXPECT_THAT(outcome.err, HasSubstr("CNI config is not valid JSON: ")) << bad;
        EXPECT_THAT(outcome.err, testing::AllOf(Not(HasSubstr("secret")), Not(HasSubstr("1e999"))));
    }
    EXPECT_EQ(content_of(kConflist), "the old one");
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
}

TEST_F(InstallConflist, RefusesOneThatGrowsWithoutBound)
{
    const std::string many = "__CNI_MTU____CNI_MTU____CNI_MTU____CNI_MTU____CNI_MTU____CNI_MTU__";
    std::string level;
    for (int i = 0; i < 300; ++i)
        level += "__LOG_FILE_PATH__";
    std::string path;
    for (int i = 0; i < 300; ++i)
        path += many;

    const PluginOutcome outcome =
        run_install(install_env({{"CNI_NETWORK_CONFIG", "{\"a\":\"__LOG_LEVEL__\"}"},
                                 {"LOG_LEVEL", level},
                                 {"LOG_FILE_PATH", path}}));

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("CNI config is longer than 1048576 bytes"));
}

TEST_F(InstallConflist, IsNamedAsToldAndTheOldOneGoes)
{
    write_content(kNet + "05-old.conflist", "old");
    write_content(kConflist, "of the last run");

    const PluginOutcome outcome = run_install(install_env(
        {{"CNI_CONF_NAME", "05-tortie.conflist"}, {"CNI_OLD_CONF_NAME", "05-old.conflist"}}));

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("Created /host/etc/cni/net.d/05-tortie.conflist\n"));
    EXPECT_THAT(configurations(), ElementsAre("05-tortie.conflist", "10-calico.conflist"));
}

TEST_F(InstallConflist, TheOldNameIsTheUsualOneByDefault)
{
    write_content(kConflist, "of the last run");

    ASSERT_EQ(run_install(install_env({{"CNI_CONF_NAME", "05-tortie.conflist"}})).status, 0);

    EXPECT_THAT(configurations(), ElementsAre("05-tortie.conflist"));
}

TEST_F(InstallConflist, RefusesNamesThatLeadElsewhereOrAreItsOwn)
{
    write_content("/host/etc/cni/precious", "keep");
    for (const char *variable : {"CNI_CONF_NAME", "CNI_OLD_CONF_NAME"}) {
        for (const char *name : {"", ".", "..", "../precious", "/etc/passwd", "a/b", "a\nb",
                                 "calico-kubeconfig", "calico-tls", "tortie.files"}) {
            const PluginOutcome outcome = run_install(install_env({{variable, name}}));
            EXPECT_EQ(outcome.status, 1) << variable << name;
            EXPECT_THAT(outcome.err, HasSubstr(variable));
        }
    }
    EXPECT_EQ(content_of("/host/etc/cni/precious"), "keep");
    EXPECT_THAT(names_in(kHostNet), ElementsAre());
}

TEST_F(InstallConflist, HasTheModeThatIsAskedFor)
{
    ASSERT_EQ(run_install(install_env({{"TEST_FILE_PERMISSION", "0644"}})).status, 0);
    EXPECT_EQ(mode_of(kConflist) & 07777U, 0644U);

    ASSERT_EQ(run_install(install_env()).status, 0);
    EXPECT_EQ(mode_of(kConflist) & 07777U, 0600U);
}

TEST_F(InstallConflist, RefusesAModeThatIsNone)
{
    for (const char *mode : {"", "rw", "08", "-1", "7777", "0x1ff", "644 "}) {
        const PluginOutcome outcome = run_install(install_env({{"TEST_FILE_PERMISSION", mode}}));
        EXPECT_EQ(outcome.status, 1) << mode;
        EXPECT_THAT(outcome.err, HasSubstr("TEST_FILE_PERMISSION"));
    }
}

TEST_F(InstallConflist, RefusesATargetThatIsALink)
{
    write_content("/tmp/elsewhere", "of somebody else");
    fs::create_symlink("/tmp/elsewhere", kConflist);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("10-calico.conflist is a symbolic link"));
    EXPECT_EQ(content_of("/tmp/elsewhere"), "of somebody else");
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
}

TEST_F(InstallConflist, FailsWithTheCureWhenItsDirectoryIsReadOnly)
{
    const Mounted read_only = Mounted::read_only(kHostNet);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("mount the host's directory into the container writable"));
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
}

TEST_F(InstallConflist, FailsWithTheCureWhenItsDirectoryIsMissing)
{
    fs::remove(kHostNet);

    const PluginOutcome outcome = run_install(install_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err,
                HasSubstr("the host's directory of CNI configurations is not mounted into the "
                          "container: open /host/etc/cni/net.d: no such file or directory"));
    EXPECT_FALSE(fs::exists(kHostNet));
}

TEST_F(InstallConflist, WarnsOfAPluginThatIsNowhere)
{
    const PluginOutcome outcome = run_install(
        install_env({{"CNI_NETWORK_CONFIG",
                      R"({"plugins":[{"type":"calico"},{"type":"bandwidth"},{"type":"../x"}]})"}}));

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.err, HasSubstr("in no directory of the host type=\"bandwidth\""));
    EXPECT_THAT(outcome.err, HasSubstr("in no directory of the host type=\"../x\""));
    EXPECT_THAT(outcome.err, Not(HasSubstr("type=\"calico\"")));
}

}  // namespace
}  // namespace tortie
