// SPDX-License-Identifier: Apache-2.0
#include "calico/call.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace tortie::calico_cni {
namespace {

cni::Request request_of(const std::string &args, const std::string &more = "")
{
    cni::Request request;
    request.command = "ADD";
    request.container_id = "c1f0aa";
    request.ifname = "eth0";
    request.network = "net1";
    request.args = args;
    request.stdin_text = R"({"name": "net1", "nodename": "node-a")" + more + "}";
    request.config = cni::Json::parse_object(request.stdin_text).value();
    return request;
}

std::string refusal(const std::string &args)
{
    const cni::Request request = request_of(args);
    const auto call = read_call(request);
    return call ? "accepted" : call.error().msg;
}

TEST(Call, IsOfAPodWhenBothNamesAreThere)
{
    const auto request =
        request_of("K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1;K8S_POD_UID=u1;SOMETHING=else");
    const auto call = read_call(request);

    ASSERT_TRUE(call);
    EXPECT_TRUE(call->is_pod());
    EXPECT_EQ(call->pod, "web-1");
    EXPECT_EQ(call->ns, "shop");
    EXPECT_EQ(call->pod_uid, "u1");
    EXPECT_EQ(call->node, "node-a");
    EXPECT_EQ(call->ids().orchestrator, "k8s");
    EXPECT_FALSE(call->has_pod_policy());
}

TEST(Call, IsOfAContainerOtherwise)
{
    const auto request = request_of("K8S_POD_NAME=web-1");
    const auto call = read_call(request);

    ASSERT_TRUE(call);
    EXPECT_FALSE(call->is_pod());
    EXPECT_EQ(call->ns, "default");
    EXPECT_EQ(call->ids().orchestrator, "cni");
    EXPECT_EQ(read_call(request_of("CNI_TEST_NAMESPACE=t1"))->ns, "t1");
}

TEST(Call, ReadsARequestedAddress)
{
    EXPECT_EQ(read_call(request_of("IP=10.0.0.7"))->requested_address, IpAddr::parse("10.0.0.7"));
    EXPECT_EQ(read_call(request_of("IP="))->requested_address, std::nullopt);
    EXPECT_EQ(refusal("IP=x"), "ARGS: error parsing value of pair \"IP=x\": invalid IP address: x");
    EXPECT_EQ(refusal("a=b=c"), "ARGS: invalid pair \"a=b=c\"");
    EXPECT_EQ(refusal("K8S_POD_NAME=a;"), "ARGS: invalid pair \"\"");
}

TEST(Call, HasCode7ForAConfigurationOfAWrongType)
{
    const auto request = request_of("", R"(, "mtu": "1500")");
    const auto call = read_call(request);

    ASSERT_FALSE(call);
    EXPECT_EQ(call.error().code, cni::Code::kInvalidConfiguration);
}

TEST(Call, HandsTheDatastoreToPluginsThatItRuns)
{
    const auto request = request_of("K8S_POD_NAME=a", R"(, "datastore_type": "local", "kubernetes":
                                         {"kubeconfig": "/k"})");
    const auto call = read_call(request);
    ASSERT_TRUE(call);

    const auto environment = child_environment(*call);

    const auto has = [&](const char *entry) {
        return std::find(environment.begin(), environment.end(), entry) != environment.end();
    };
    EXPECT_TRUE(has("DATASTORE_TYPE=local"));
    EXPECT_TRUE(has("KUBECONFIG=/k"));
    EXPECT_TRUE(has("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=a"));
}

TEST(Failure, SaysTryAgainOfWhatPasses)
{
    for (const ErrorKind kind : {ErrorKind::kTryAgain, ErrorKind::kConflict,
                                 ErrorKind::kUnknownOutcome, ErrorKind::kNotAttempted})
        EXPECT_EQ(failure(Error(kind, "x")).code, cni::Code::kTryAgainLater);
    EXPECT_EQ(failure(Error(ErrorKind::kNotFound, "x")).code, cni::Code::kUnspecified);
}

}  // namespace
}  // namespace tortie::calico_cni
