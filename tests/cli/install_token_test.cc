// SPDX-License-Identifier: Apache-2.0
//
// Kubeconfig and tokens, against an API server of the test's own. Source: spec calico-cni.md 5.4,
// 5.5; calico-v3.32.1.md 3 rows 8, 10, 11, 18, 20.
#include <sys/stat.h>

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "cli/install_fixture.h"

namespace tortie {
namespace {

using std::chrono::seconds;
using test::content_of;
using test::HttpPeer;
using test::InstallEnv;
using test::kGivenToken;
using test::kHostBin;
using test::kHostNet;
using test::kMountedToken;
using test::kPodSecrets;
using test::mode_of;
using test::names_in;
using test::PluginOutcome;
using test::run_install;
using test::write_content;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using InstallToken = test::InstallInPodTest;

const std::string kNet = std::string(kHostNet) + '/';
const std::string kKubeconfig = kNet + "calico-kubeconfig";

std::string expected_kubeconfig(const std::string &server, const std::string &tls,
                                const std::string &token)
{
    return "# Kubeconfig file for Calico CNI plugin.\n"
           "apiVersion: v1\n"
           "kind: Config\n"
           "clusters:\n"
           "- name: local\n"
           "  cluster:\n"
           "    server: " +
           server + "\n    " + tls +
           "\n"
           "users:\n"
           "- name: calico\n"
           "  user:\n"
           "    token: " +
           token +
           "\n"
           "contexts:\n"
           "- name: calico-context\n"
           "  context:\n"
           "    cluster: local\n"
           "    user: calico\n"
           "current-context: calico-context\n";
}

TEST_F(InstallToken, KubeconfigHoldsATokenOfItsOwn)
{
    serve({gives_tokens()});

    const PluginOutcome outcome = run_install(pod_env());

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("Running as a Kubernetes pod\n"));
    EXPECT_EQ(content_of(kKubeconfig),
              expected_kubeconfig("https://127.0.0.1:" + std::to_string(server().port()),
                                  "certificate-authority-data: " + base64_encode(authority().pem()),
                                  std::string(kGivenToken) + "-1"));
    EXPECT_EQ(mode_of(kKubeconfig), S_IFREG | 0600U);
    EXPECT_THAT(configurations(), ElementsAre("10-calico.conflist", "calico-kubeconfig"));
}

TEST_F(InstallToken, AsksOnceForADayWithTheNamespaceAndTokenTrimmed)
{
    serve({gives_tokens()});

    ASSERT_EQ(run_install(pod_env()).status, 0);

    ASSERT_EQ(server().requests().size(), 1U);
    const std::string request = server().requests().front();
    EXPECT_THAT(request, HasSubstr("POST /api/v1/namespaces/kube-system/serviceaccounts/"
                                   "calico-cni-plugin/token HTTP/1.1\r\n"));
    EXPECT_THAT(request, HasSubstr(std::string("Authorization: Bearer ") + kMountedToken + "\r\n"));
    EXPECT_THAT(request, HasSubstr(R"("spec":{"audiences":[],"expirationSeconds":86400})"));
}

TEST_F(InstallToken, IsThatOfTheNamedServiceAccount)
{
    serve({gives_tokens()});

    ASSERT_EQ(run_install(pod_env({{"CALICO_CNI_SERVICE_ACCOUNT", "canal"}})).status, 0);

    EXPECT_THAT(server().requests().front(), HasSubstr("/serviceaccounts/canal/token "));
}

TEST_F(InstallToken, KubeconfigBracketsAnIpv6Server)
{
    serve({gives_tokens()}, "::1");

    const PluginOutcome outcome = run_install(pod_env());

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(content_of(kKubeconfig),
                HasSubstr("    server: https://[::1]:" + std::to_string(server().port()) + "\n"));
}

TEST_F(InstallToken, KubeconfigSkipsVerificationOnlyWhenAskedExactly)
{
    serve({gives_tokens(), gives_tokens()});

    ASSERT_EQ(run_install(pod_env({{"SKIP_TLS_VERIFY", "true"}})).status, 0);
    EXPECT_THAT(content_of(kKubeconfig), HasSubstr("    insecure-skip-tls-verify: true\n"));
    EXPECT_THAT(content_of(kKubeconfig), Not(HasSubstr("certificate-authority-data")));

    ASSERT_EQ(run_install(pod_env({{"SKIP_TLS_VERIFY", "1"}})).status, 0);
    EXPECT_THAT(content_of(kKubeconfig), HasSubstr("certificate-authority-data"));
}

TEST_F(InstallToken, KubeconfigHasTheProtocolThatIsAskedFor)
{
    serve({gives_tokens(), gives_tokens()});

    ASSERT_EQ(run_install(pod_env({{"KUBERNETES_SERVICE_PROTOCOL", "http"}})).status, 0);
    EXPECT_THAT(content_of(kKubeconfig), HasSubstr("    server: http://127.0.0.1:"));

    ASSERT_EQ(run_install(pod_env({{"KUBERNETES_SERVICE_PROTOCOL", ""}})).status, 0);
    EXPECT_THAT(content_of(kKubeconfig), HasSubstr("    server: https://127.0.0.1:"));
}

TEST_F(InstallToken, AnOpenKubeconfigIsClosed)
{
    serve({gives_tokens()});
    write_content(kKubeconfig, "older", 0644);

    ASSERT_EQ(run_install(pod_env()).status, 0);

    EXPECT_EQ(mode_of(kKubeconfig) & 07777U, 0600U);
}

TEST_F(InstallToken, IsAskedForThroughKubeconfigWhenThereIsOne)
{
    serve({gives_tokens()});
    write_content("/tmp/kubeconfig",
                  R"({"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":)"
                  R"("c","context":{"cluster":"k","user":"u"}}],"clusters":[{"name":"k","cluster":)"
                  R"({"server":"https://127.0.0.1:)" +
                      std::to_string(server().port()) + R"(","certificate-authority":")" +
                      kPodSecrets +
                      R"(/ca.crt"}}],"users":[{"name":"u","user":{"token":"admin"}}]})");

    const PluginOutcome outcome = run_install(pod_env({{"KUBECONFIG", "/tmp/kubeconfig"},
                                                       {"KUBERNETES_SERVICE_HOST", "192.0.2.1"},
                                                       {"KUBERNETES_SERVICE_PORT", "6443"}}));

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(server().requests().front(), HasSubstr("Authorization: Bearer admin\r\n"));
    EXPECT_THAT(content_of(kKubeconfig), HasSubstr("    server: https://192.0.2.1:6443\n"));
}

TEST_F(InstallToken, ServerMustBeInTheEnvironmentOfAPod)
{
    serve({gives_tokens()});
    for (const char *missing : {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}) {
        InstallEnv env = pod_env();
        env[missing] = "";
        const PluginOutcome outcome = run_install(env);
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.err,
                    HasSubstr("unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST "
                              "and KUBERNETES_SERVICE_PORT must be defined"));
    }
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
}

TEST_F(InstallToken, RefusesAServerThatWouldBecomeYaml)
{
    serve({gives_tokens()});
    for (const char *variable :
         {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PROTOCOL"}) {
        const PluginOutcome outcome = run_install(pod_env({{variable, "x\n    insecure: true"}}));
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.err, HasSubstr(variable));
    }
}

TEST_F(InstallToken, ACertificateAuthorityThatIsNoneIsLoggedAndLeftOut)
{
    serve({answers(500, "")});
    write_content(std::string(kPodSecrets) + "/ca.crt", "no certificate");

    const PluginOutcome outcome = run_install(pod_env({{"TORTIE_API_TIMEOUT", "500ms"}}));

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("Expected to load root CA config from"));
}

TEST_F(InstallToken, NoSecretIsEverShown)
{
    serve({gives_tokens()});
    write_content("/calico-secrets/etcd-key", "marked-secret");

    const PluginOutcome outcome = run_install(pod_env(
        {{"CNI_NETWORK_CONFIG", R"({"t":"__SERVICEACCOUNT_TOKEN__","cni":"marked-secret"})"}}));

    EXPECT_EQ(outcome.status, 1);  // the mounted token ends with a line break, which JSON refuses
    EXPECT_THAT(outcome.err, Not(HasSubstr("marked-secret")));
    write_content(std::string(kPodSecrets) + "/token", kMountedToken);
    const PluginOutcome good = run_install(pod_env(
        {{"CNI_NETWORK_CONFIG", R"({"t":"__SERVICEACCOUNT_TOKEN__","cni":"marked-secret"})"}}));
    EXPECT_EQ(good.status, 0) << good.err;
    EXPECT_THAT(good.err, Not(HasSubstr("marked-secret")));
    EXPECT_EQ(content_of(kNet + "10-calico.conflist"),
              std::string(R"({"t":")") + kMountedToken + R"(","cni":"marked-secret"})");
}

// ---- an API server in trouble ------------------------------------------------------------------

TEST_F(InstallToken, UnavailableServerIsAskedAgain)
{
    serve({[](HttpPeer &peer) {
        peer.request();
        peer.answer(503, "");
        peer.request();
        peer.answer(500, "");
        peer.request();
        peer.answer(429, "", "Retry-After: 0\r\n");
        peer.request();
        peer.answer(201, token_answer(kGivenToken), "Content-Type: application/json\r\n");
    }});

    const PluginOutcome outcome = run_install(pod_env({{"TORTIE_API_TIMEOUT", "10s"}}));

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(content_of(kKubeconfig), HasSubstr(kGivenToken));
}

struct Refusal {
    unsigned status;
    const char *reason;
    const char *message;
    const char *cure;
};

TEST_F(InstallToken, FailuresNameTheCureAndChangeNothing)
{
    const Refusal refusals[] = {
        {401, "Unauthorized", "Unauthorized", "reachable"},
        {403, "Forbidden", "forbidden by RBAC",
         "needs the right to create serviceaccounts/token of kube-system/calico-cni-plugin"},
        {500, "InternalError", "etcd is away", "reachable from this node"},
    };
    write_content(kKubeconfig, "older", 0600);
    for (const Refusal &refusal : refusals) {
        const std::string body = status_object(refusal.status, refusal.reason, refusal.message);
        serve({answers(refusal.status, body), answers(refusal.status, body),
               answers(refusal.status, body), answers(refusal.status, body)});
        const PluginOutcome outcome = run_install(pod_env({{"TORTIE_API_TIMEOUT", "700ms"}}));
        EXPECT_EQ(outcome.status, 1) << refusal.status;
        EXPECT_THAT(outcome.err, HasSubstr("Unable to create token for CNI kubeconfig: "));
        EXPECT_THAT(outcome.err, HasSubstr(refusal.message));
        EXPECT_THAT(outcome.err, HasSubstr(refusal.cure));
        EXPECT_THAT(outcome.err, Not(HasSubstr("marked-secret")));
    }
    EXPECT_EQ(content_of(kKubeconfig), "older");
    EXPECT_THAT(configurations(), ElementsAre("calico-kubeconfig"));
    EXPECT_THAT(names_in(kHostBin), ElementsAre());
}

TEST_F(InstallToken, ServerThatIsAwayOrHangsIsGivenUp)
{
    serve({[](HttpPeer &peer) {
        peer.request();
        peer.request();  // until the installer hangs up
    }});

    const auto start = std::chrono::steady_clock::now();
    const PluginOutcome hangs = run_install(pod_env({{"TORTIE_API_TIMEOUT", "600ms"}}));
    const PluginOutcome away = run_install(pod_env({{"TORTIE_API_TIMEOUT", "600ms"}}));

    EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
    EXPECT_EQ(hangs.status, 1);
    EXPECT_EQ(away.status, 1);
    EXPECT_THAT(away.err, HasSubstr("connection refused"));
    EXPECT_THAT(away.err, HasSubstr("reachable from this node?"));
}

TEST_F(InstallToken, AMissingServiceAccountIsNamed)
{
    serve({[](HttpPeer &peer) {
        peer.request();
        peer.answer(404,
                    status_object(404, "NotFound", "serviceaccounts not found",
                                  R"({"name":"calico-cni-plugin","kind":"serviceaccounts"})"),
                    "Content-Type: application/json\r\n");
        peer.request();
        peer.answer(
            200, R"({"resources":[{"name":"serviceaccounts"},{"name":"serviceaccounts/token"}]})",
            "Content-Type: application/json\r\n");
    }});

    const PluginOutcome outcome = run_install(pod_env());

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("create the service account kube-system/calico-cni-plugin"));
}

TEST_F(InstallToken, IsThePodsOwnWhereServersHaveNoTokenRequest)
{
    serve({[](HttpPeer &peer) {
        peer.request();
        peer.answer(
            404, status_object(404, "NotFound", "the server could not find the requested resource"),
            "Content-Type: application/json\r\n");
        peer.request();
        peer.answer(200, R"({"resources":[{"name":"serviceaccounts"}]})",
                    "Content-Type: application/json\r\n");
    }});

    const PluginOutcome outcome = run_install(pod_env());

    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(test::target_of(server().requests().back()), "/api/v1");
    EXPECT_THAT(content_of(kKubeconfig),
                HasSubstr(std::string("    token: ") + kMountedToken + "\n"));
}

TEST_F(InstallToken, AnswersThatAreNoTokenAreRefused)
{
    for (const std::string body :
         {"", "{}", "no JSON", R"({"status":{"token":""}})", R"({"status":{"token":7}})",
          R"({"status":{"token":"a\n    exec: b"}})", R"({"status":{"token":"a b"}})"}) {
        serve({answers(201, body)});
        const PluginOutcome outcome = run_install(pod_env());
        EXPECT_EQ(outcome.status, 1) << body;
        EXPECT_THAT(outcome.err, HasSubstr("the API server's answer is no TokenRequest")) << body;
    }
    EXPECT_THAT(configurations(), ElementsAre());
}

TEST_F(InstallToken, AStrangersServerGetsNoToken)
{
    serve({gives_tokens(), gives_tokens(), gives_tokens()});
    const test::TlsAuthority stranger;
    write_content(std::string(kPodSecrets) + "/ca.crt", stranger.pem());

    const PluginOutcome outcome = run_install(pod_env({{"TORTIE_API_TIMEOUT", "500ms"}}));

    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr("certificate"));
    EXPECT_TRUE(server().requests().empty());
}

}  // namespace
}  // namespace tortie
