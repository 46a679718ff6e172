// SPDX-License-Identifier: Apache-2.0
#include "kube/kubeconfig.h"

#include <unistd.h>

#include <map>

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/file.h"
#include "harness/temp_dir.h"

namespace tortie::kube {
namespace {

class LoadAccess : public testing::Test {
protected:
    std::string put(const std::string &name, const std::string &text)
    {
        EXPECT_TRUE(replace_file(dir_ / name, text, 0600));
        return dir_ / name;
    }

    Result<Access> load()
    {
        return load_access(settings_, [this](const char *name) {
            const auto it = env_.find(name);
            return it == env_.end() ? nullptr : it->second.c_str();
        });
    }

    std::string error()
    {
        const auto access = load();
        return access ? "no error" : access.error().what();
    }

    // The usual one, with `cluster` and `user` in flow style.
    void use(const std::string &cluster, const std::string &user)
    {
        settings_.kubeconfig = put("config",
                                   "apiVersion: v1\nkind: Config\n"
                                   "clusters: [{name: c, cluster: {" +
                                       cluster +
                                       "}}]\n"
                                       "users: [{name: u, user: {" +
                                       user +
                                       "}}]\n"
                                       "contexts: [{name: x, context: {cluster: c, "
                                       "user: u}}]\n"
                                       "current-context: x\n");
    }

    test::TempDir dir_;
    AccessSettings settings_;
    std::map<std::string, std::string> env_;
};

TEST_F(LoadAccess, ReadsWhatTheInstallerWrites)
{
    settings_.kubeconfig = put("calico-kubeconfig", R"(# Kubeconfig file for Calico CNI plugin.
apiVersion: v1
kind: Config
clusters:
- name: local
  cluster:
    server: https://[10.96.0.1]:443
    certificate-authority-data: ")" + base64_encode("CA PEM") +
                                                        R"("
users:
- name: calico
  user:
    token: eyJhbGciOi.x
contexts:
- name: calico-context
  context:
    cluster: local
    user: calico
current-context: calico-context
)");

    const auto access = load();

    ASSERT_TRUE(access) << access.error().what();
    EXPECT_EQ(access->server.host, "10.96.0.1");
    EXPECT_EQ(access->server.port, 443);
    ASSERT_TRUE(access->server.tls);
    EXPECT_EQ(access->server.tls->ca_pem, "CA PEM");
    EXPECT_EQ(access->authorization, "Bearer eyJhbGciOi.x");
    EXPECT_EQ(access->base_path, "");
    EXPECT_FALSE(access->server.proxy);
}

TEST_F(LoadAccess, ReadsFilesBesideTheKubeconfigThroughLinks)
{
    put("ca.pem", "CA");
    put("cert.pem", "CERT");
    put("key.pem", "KEY");
    put("real-token", "tok\n");
    ASSERT_EQ(::symlink("real-token", (dir_ / "token").c_str()), 0);
    use("server: 'https://k.example/k8s/c-1/', certificate-authority: ca.pem, tls-server-name: s",
        "client-certificate: cert.pem, client-key: key.pem, tokenFile: token, token: old");

    const auto access = load();

    ASSERT_TRUE(access) << access.error().what();
    EXPECT_EQ(access->base_path, "/k8s/c-1");
    EXPECT_EQ(access->server.tls->ca_pem, "CA");
    EXPECT_EQ(access->server.tls->certificate_pem, "CERT");
    EXPECT_EQ(access->server.tls->key_pem, "KEY");
    EXPECT_EQ(access->server.tls->server_name, "s");
    EXPECT_EQ(access->authorization, "Bearer tok");
}

TEST_F(LoadAccess, ReadsJson)
{
    settings_.kubeconfig = put("config", R"({"clusters":[{"name":"c","cluster":{
        "server":"http://10.0.0.1:8080"}}],"contexts":[{"name":"x","context":{"cluster":"c"}}],
        "current-context":"x"})");

    const auto access = load();

    ASSERT_TRUE(access) << access.error().what();
    EXPECT_FALSE(access->server.tls);
    EXPECT_EQ(access->server.port, 8080);
    EXPECT_EQ(access->authorization, "");
}

TEST_F(LoadAccess, MergesFilesAndTheFirstWins)
{
    use("server: 'https://first.example'", "token: one");
    const std::string second = put("second", R"(
clusters: [{name: c, cluster: {server: "https://second.example"}},
           {name: d, cluster: {server: "https://d.example"}}]
users: [{name: v, user: {token: two}}]
contexts: [{name: other, context: {cluster: d, user: v}}]
current-context: other
)");
    settings_.kubeconfig = (dir_ / "missing") + ":" + settings_.kubeconfig + "::" + second;

    EXPECT_EQ(error(), "no error");
    EXPECT_EQ(load()->server.host, "first.example");

    settings_.current_context = "other";
    EXPECT_EQ(load()->server.host, "d.example");
    EXPECT_EQ(load()->authorization, "Bearer two");
}

TEST_F(LoadAccess, LetsSettingsWin)
{
    put("ca2", "CA2");
    use("server: 'https://c.example', certificate-authority-data: Q0E=", "token: one");
    settings_.api_endpoint = "https://10.1.1.1:6443";
    settings_.ca_file = dir_ / "ca2";
    settings_.token = "two";

    const auto access = load();

    ASSERT_TRUE(access) << access.error().what();
    EXPECT_EQ(access->server.host, "10.1.1.1");
    EXPECT_EQ(access->server.tls->ca_pem, "CA2");
    EXPECT_EQ(access->authorization, "Bearer two");

    settings_.ca_file.clear();
    settings_.insecure_skip_tls_verify = true;
    EXPECT_TRUE(load()->server.tls->insecure);
    EXPECT_EQ(load()->server.tls->ca_pem, "");
}

TEST_F(LoadAccess, TakesTheServiceAccountOfAPod)
{
    settings_.in_cluster = true;
    settings_.service_account = dir_.path();
    put("token", "sa-token");
    put("ca.crt", "SA CA");
    EXPECT_EQ(error(),
              "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
              "KUBERNETES_SERVICE_PORT must be defined");

    env_ = {{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "443"}};
    const auto access = load();

    ASSERT_TRUE(access) << access.error().what();
    EXPECT_EQ(access->server.host, "fd00::1");
    EXPECT_EQ(access->server.tls->ca_pem, "SA CA");
    EXPECT_EQ(access->authorization, "Bearer sa-token");
}

TEST_F(LoadAccess, GoesThroughTheProxyThatItIsTold)
{
    env_ = {{"HTTPS_PROXY", "http://env.example:3128"}};
    use("server: 'https://c.example'", "token: one");
    EXPECT_EQ(load()->server.proxy->host, "env.example");

    use("server: 'https://c.example', proxy-url: 'http://own.example:1'", "token: one");
    EXPECT_EQ(load()->server.proxy->host, "own.example");

    use("server: 'https://c.example', proxy-url: 'socks5://own.example:1'", "token: one");
    EXPECT_EQ(error(), "proxy socks5://own.example:1: only http and https proxies are supported");
}

TEST_F(LoadAccess, KnowsUserAndPassword)
{
    use("server: 'https://c.example'", "username: u, password: p");

    EXPECT_EQ(load()->authorization, "Basic dTpw");
}

TEST_F(LoadAccess, RefusesUsersThatNeedAnotherProgram)
{
    for (const char *user : {"exec: {command: aws}", "auth-provider: {name: gcp}"}) {
        use("server: 'https://c.example'", user);
        const auto access = load();
        ASSERT_FALSE(access);
        EXPECT_EQ(access.error().kind(), ErrorKind::kUnsupported);
        EXPECT_EQ(access.error().what(),
                  "user \"u\" of the kubeconfig needs an exec or auth-provider program: not "
                  "supported, use a token or a client certificate");
    }
}

TEST_F(LoadAccess, SaysWhatIsWrong)
{
    EXPECT_EQ(error(), "invalid configuration: no configuration has been provided");

    settings_.kubeconfig = dir_ / "missing";
    EXPECT_EQ(error(), "open " + settings_.kubeconfig + ": no such file or directory");

    settings_.kubeconfig = put("empty", "");
    EXPECT_EQ(error(), "invalid configuration: no configuration has been provided");

    use("server: 'https://c.example', certificate-authority-data: '*'", "token: t");
    EXPECT_EQ(error(), "invalid configuration: certificate-authority-data is not base64");

    use("server: 'https://c.example', certificate-authority-data: Q0E=, "
        "insecure-skip-tls-verify: true",
        "token: t");
    EXPECT_EQ(error(), "specifying a root certificates file with the insecure flag is not allowed");

    use("server: 'https://c.example'", "client-certificate-data: Q0E=");
    EXPECT_EQ(error(), "invalid configuration: client-certificate and client-key go together");

    use("server: 'https://c.example'", "token: [1]");
    EXPECT_EQ(error(), "error loading config file \"" + settings_.kubeconfig +
                           "\": users[].user.token: is not a text");

    use("server: 'https://c.example'", "tokenFile: none");
    EXPECT_EQ(error(), "open " + (dir_ / "none") + ": no such file or directory");

    use("", "token: t");
    EXPECT_EQ(error(), "invalid configuration: no server given");

    settings_.current_context = "other";
    EXPECT_EQ(error(), "invalid configuration: context was not found for specified context: other");
}

}  // namespace
}  // namespace tortie::kube
