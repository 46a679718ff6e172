// SPDX-License-Identifier: Apache-2.0
#include "calico/endpoint.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::calico {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

kube::Pod pod_with_account(const std::string &account)
{
    kube::Pod pod;
    pod.meta.name = "web-1";
    pod.meta.ns = "shop";
    pod.meta.generate_name = "web-";
    pod.meta.labels = {{"app", "web"}, {"projectcalico.org/namespace", "lied"}};
    pod.service_account = account;
    return pod;
}

store::Endpoint sound_endpoint()
{
    store::Endpoint endpoint;
    endpoint.ns = "shop";
    endpoint.name = "node--a-k8s-web--1-eth0";
    endpoint.orchestrator = "k8s";
    endpoint.node = "node-a";
    endpoint.pod = "web-1";
    endpoint.endpoint = "eth0";
    endpoint.container_id = "c1f0aa";
    endpoint.interface_name = "cali0123456789a";
    endpoint.profiles = {"kns.shop"};
    return endpoint;
}

std::vector<IpAddr> addresses(const std::vector<std::string> &texts)
{
    std::vector<IpAddr> list;
    for (const std::string &text : texts)
        list.push_back(*IpAddr::parse(text));
    return list;
}

TEST(Endpoint, TakesLabelsProfilesAndNamesFromItsPod)
{
    store::Endpoint endpoint;
    describe_pod(pod_with_account("robot"), endpoint);

    EXPECT_THAT(endpoint.labels,
                ElementsAre(Pair("app", "web"), Pair("projectcalico.org/namespace", "shop"),
                            Pair("projectcalico.org/orchestrator", "k8s"),
                            Pair("projectcalico.org/serviceaccount", "robot")));
    EXPECT_THAT(endpoint.profiles, ElementsAre("kns.shop", "ksa.shop.robot"));
    EXPECT_EQ(endpoint.generate_name, "web-");
    EXPECT_EQ(endpoint.service_account, "robot");
}

TEST(Endpoint, HasNoLabelForALongServiceAccount)
{
    store::Endpoint endpoint;
    describe_pod(pod_with_account(std::string(63, 'a')), endpoint);

    EXPECT_FALSE(endpoint.labels.contains("projectcalico.org/serviceaccount"));
    EXPECT_EQ(endpoint.profiles.size(), 2U);
}

TEST(Endpoint, TakesPortsWithANameOrAHostPort)
{
    kube::Pod pod = pod_with_account("");
    pod.ports = {
        {.name = "http", .protocol = "", .container_port = 555, .host_port = 0, .host_ip = ""},
        {.name = "",
         .protocol = "UDP",
         .container_port = 53,
         .host_port = 5353,
         .host_ip = "1.2.3.4"},
        {.name = "", .protocol = "TCP", .container_port = 80, .host_port = 0, .host_ip = ""},
        {.name = "x", .protocol = "ICMP", .container_port = 1, .host_port = 0, .host_ip = ""},
        {.name = "y", .protocol = "SCTP", .container_port = 0, .host_port = 9, .host_ip = ""}};
    store::Endpoint endpoint;
    describe_pod(pod, endpoint);

    ASSERT_EQ(endpoint.ports.size(), 2U);
    EXPECT_EQ(endpoint.ports[0].name, "http");
    EXPECT_EQ(endpoint.ports[0].protocol, "TCP");
    EXPECT_EQ(endpoint.ports[0].port, 555);
    EXPECT_EQ(endpoint.ports[1].host_port, 5353);
    EXPECT_EQ(endpoint.ports[1].host_ip, "1.2.3.4");
}

TEST(Endpoint, HasEachAddressByItselfAndNothingOfAnEarlierContainer)
{
    store::Endpoint endpoint = sound_endpoint();
    endpoint.ip_nats = {{.internal_ip = "10.0.0.1", .external_ip = "1.1.1.1"}};
    endpoint.allow_spoofed_source_prefixes = {"10.0.0.0/8"};
    endpoint.annotations = {{"a", "b"}};
    PodPlan plan;
    plan.floating = addresses({"fd01::1", "1.2.3.4"});
    set_addresses(addresses({"10.0.0.7", "fd00::7"}), plan, endpoint);

    EXPECT_THAT(endpoint.ip_networks, ElementsAre("10.0.0.7/32", "fd00::7/128"));
    ASSERT_EQ(endpoint.ip_nats.size(), 2U);
    EXPECT_EQ(endpoint.ip_nats[0].internal_ip, "fd00::7");
    EXPECT_EQ(endpoint.ip_nats[1].external_ip, "1.2.3.4");
    EXPECT_THAT(endpoint.allow_spoofed_source_prefixes, IsEmpty());
    EXPECT_THAT(endpoint.annotations, IsEmpty());
}

TEST(Endpoint, NeedsAnAddressOfEachFloatingOnesFamily)
{
    PodPlan plan;
    plan.floating = addresses({"fd01::1"});

    EXPECT_EQ(check_floating(addresses({"10.0.0.7"}), plan).error().what(),
              "floating IP fd01::1: the pod has no IPv6 address");
    EXPECT_TRUE(check_floating(addresses({"fd00::7"}), plan));
}

TEST(Endpoint, IsCheckedAgainstCalicosDataModel)
{
    EXPECT_TRUE(validate(sound_endpoint()));

    store::Endpoint endpoint = sound_endpoint();
    endpoint.name = "node--a-k8s-web--1-eth1";
    EXPECT_EQ(validate(endpoint).error().what(),
              "error with field Name = 'node--a-k8s-web--1-eth1' (the WorkloadEndpoint name does "
              "not match the primary identifiers assigned in the Spec: expected name "
              "node--a-k8s-web--1-eth0)");
    endpoint = sound_endpoint();
    endpoint.container_id = "with_underscore";
    EXPECT_TRUE(
        validate(endpoint).error().what().starts_with("error with field containerID = 'with_"));
    endpoint = sound_endpoint();
    endpoint.interface_name = "longer-than-fifteen";
    EXPECT_FALSE(validate(endpoint));
    endpoint = sound_endpoint();
    endpoint.service_account = "Robot";
    EXPECT_FALSE(validate(endpoint));
    endpoint = sound_endpoint();
    endpoint.profiles = {"under_score"};
    EXPECT_FALSE(validate(endpoint));
}

TEST(Endpoint, KnowsItsPodsContainerAndWhetherThereIsAny)
{
    kube::Pod pod;
    EXPECT_EQ(container_of(pod), "");
    EXPECT_FALSE(has_endpoint(pod));
    pod.node_name = "node-a";
    pod.meta.annotations["cni.projectcalico.org/containerID"] = "c1f0aa";
    pod.meta.annotations["cni.projectcalico.org/floatingIPs"] = "junk";  // Q14
    EXPECT_EQ(container_of(pod), "c1f0aa");
    EXPECT_TRUE(has_endpoint(pod));
    pod.host_network = true;
    EXPECT_FALSE(has_endpoint(pod));
}

TEST(Endpoint, KnowsAPodsAddressesByStatusBeforeAnnotations)
{
    kube::Pod pod;
    EXPECT_THAT(addresses_of(pod), IsEmpty());
    pod.meta.annotations["cni.projectcalico.org/podIP"] = "10.0.0.1/32";
    EXPECT_EQ(addresses_of(pod), addresses({"10.0.0.1"}));
    pod.meta.annotations["cni.projectcalico.org/podIPs"] = "10.0.0.1/32,fd00::1/128";
    EXPECT_EQ(addresses_of(pod), addresses({"10.0.0.1", "fd00::1"}));
    pod.pod_ip = "10.0.0.2";
    EXPECT_EQ(addresses_of(pod), addresses({"10.0.0.2"}));
    pod.pod_ips = {"10.0.0.2", "junk", "fd00::2"};
    EXPECT_EQ(addresses_of(pod), addresses({"10.0.0.2", "fd00::2"}));
}

TEST(Endpoint, HasNoAddressesOfAPodThatHasFinished)
{
    kube::Pod pod;
    pod.pod_ips = {"10.0.0.2"};
    pod.phase = "Failed";
    EXPECT_THAT(addresses_of(pod), IsEmpty());
    pod.phase = "Running";
    pod.meta.deletion_timestamp = "2026-06-24T10:11:12Z";
    EXPECT_FALSE(addresses_of(pod).empty());
    pod.meta.annotations["cni.projectcalico.org/podIP"] = "";
    EXPECT_THAT(addresses_of(pod), IsEmpty());
}

}  // namespace
}  // namespace tortie::calico
