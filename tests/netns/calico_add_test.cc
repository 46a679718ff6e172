// SPDX-License-Identifier: Apache-2.0
// Behaviours: spec calico-cni.md 2.4, 7.3, 7.4, against the embedded datastore.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/calico_node.h"
#include "sys/sysctl.h"

namespace tortie::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

constexpr const char *kWebInterface = "cali751425ce827";  // of shop.web-1

std::string lines_with(const std::string &text, const std::string &word)
{
    std::string out;
    std::size_t start = 0;
    while (start < text.size()) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        const std::string line = text.substr(start, end - start);
        if (line.find(word) != std::string::npos)
            out += line + '\n';
        start = end + 1;
    }
    return out;
}

class CalicoAdd : public ::testing::Test {
protected:
    void SetUp() override { TORTIE_NEEDS_ROOT(); }

    // The text of a refusal, and that nothing was left behind by it.
    std::string refusal(const CalicoCall &call)
    {
        const PluginOutcome outcome = node_.add(pod_, call);
        EXPECT_EQ(outcome.status, 1) << outcome.out;
        EXPECT_THAT(node_.held(), IsEmpty());
        EXPECT_THAT(node_.handles(), IsEmpty());
        EXPECT_THAT(node_.endpoints(), IsEmpty());
        EXPECT_THAT(node_.netns().ip({"-o", "link"}), Not(HasSubstr("cali")));
        return outcome.out;
    }

    CalicoNode node_;
    Netns pod_;
};

TEST_F(CalicoAdd, GivesAPodAnAddressALinkAndAnEndpoint)
{
    node_.put_pool("p4", "10.80.0.0/26");

    EXPECT_EQ(node_.added(pod_, {.pod = "web-1", .keys = R"(,"mtu":1450)"}),
              R"({
    "cniVersion": "1.0.0",
    "interfaces": [
        {
            "name": "cali751425ce827"
        },
        {
            "mac": "MAC",
            "mtu": 1450,
            "name": "eth0",
            "sandbox": "NETNS"
        }
    ],
    "ips": [
        {
            "address": "10.80.0.0/32",
            "interface": 1
        }
    ],
    "routes": [
        {
            "dst": "10.80.0.0/26"
        }
    ]
})");

    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.0 net1.c1f0aa"));
    EXPECT_EQ(node_.netns().ip({"route"}),
              std::string("10.80.0.0 dev ") + kWebInterface + " scope link \n");
    EXPECT_EQ(pod_.ip({"route"}),
              "default via 169.254.1.1 dev eth0 \n169.254.1.1 dev eth0 scope link \n");
    EXPECT_THAT(node_.netns().ip({"-o", "link", "show", kWebInterface}), HasSubstr("mtu 1450"));
    const auto endpoints = node_.endpoints();
    ASSERT_EQ(endpoints.size(), 1U);
    const store::Endpoint &endpoint = endpoints[0];
    EXPECT_EQ(endpoint.name, "node--a-k8s-web--1-eth0");
    EXPECT_EQ(endpoint.ns, "shop");
    EXPECT_EQ(endpoint.container_id, "c1f0aa");
    EXPECT_EQ(endpoint.interface_name, kWebInterface);
    EXPECT_THAT(endpoint.ip_networks, ElementsAre("10.80.0.0/32"));
    EXPECT_THAT(endpoint.profiles, ElementsAre("kns.shop"));
    EXPECT_THAT(endpoint.labels, ElementsAre(Pair("projectcalico.org/namespace", "shop"),
                                             Pair("projectcalico.org/orchestrator", "k8s")));
    EXPECT_THAT(pod_.ip({"link", "show", "eth0"}), HasSubstr(endpoint.mac));
}

constexpr const char *kOldest = R"(",
    "ip4": {
        "ip": "10.80.0.0/32",
        "routes": [
            {
                "dst": "10.80.0.0/26"
            }
        ]
    },
    "dns": {}
})";
constexpr const char *kOlder = R"(",
    "interfaces": [
        {
            "name": "cali751425ce827"
        },
        {
            "name": "eth0",
            "mac": "MAC",
            "sandbox": "NETNS"
        }
    ],
    "ips": [
        {
            "version": "4",
            "interface": 1,
            "address": "10.80.0.0/32"
        }
    ],
    "routes": [
        {
            "dst": "10.80.0.0/26"
        }
    ],
    "dns": {}
})";
constexpr const char *kNewer = R"(",
    "interfaces": [
        {
            "name": "cali751425ce827"
        },
        {
            "mac": "MAC",
            "name": "eth0",
            "sandbox": "NETNS"
        }
    ],
    "ips": [
        {
            "address": "10.80.0.0/32",
            "interface": 1
        }
    ],
    "routes": [
        {
            "dst": "10.80.0.0/26"
        }
    ]
})";

TEST_F(CalicoAdd, PrintsEveryVersionsResult)
{
    const std::pair<const char *, const char *> kCases[] = {
        {"0.1.0", kOldest}, {"0.2.0", kOldest}, {"0.3.0", kOlder}, {"0.3.1", kOlder},
        {"0.4.0", kOlder},  {"1.0.0", kNewer},  {"1.1.0", kNewer}};
    for (const auto &[version, rest] : kCases) {
        const CalicoNode node;
        node.put_pool("p4", "10.80.0.0/26");
        const Netns pod;
        EXPECT_EQ(node.added(pod, {.pod = "web-1", .version = version}),
                  std::string("{\n    \"cniVersion\": \"") + version + rest);
    }
}

TEST_F(CalicoAdd, TakesBothFamilies)
{
    node_.put_pool("p4", "10.80.0.0/26");
    node_.put_pool("p6", "fd00:80::/122");

    const std::string result = node_.added(
        pod_, {.pod = "web-1", .ipam = R"({"type":"calico-ipam","assign_ipv6":"true"})"});

    EXPECT_THAT(result, HasSubstr("\"address\": \"fd00:80::/128\""));
    EXPECT_THAT(result, HasSubstr("\"dst\": \"fd00:80::/122\""));
    EXPECT_THAT(node_.endpoints().at(0).ip_networks, ElementsAre("10.80.0.0/32", "fd00:80::/128"));
    EXPECT_THAT(pod_.ip({"-6", "route"}),
                HasSubstr("default via fe80::ecee:eeff:feee:eeee dev eth0"));
    EXPECT_THAT(lines_with(node_.netns().ip({"-6", "route"}), kWebInterface),
                HasSubstr("fd00:80:: dev"));
    EXPECT_THAT(node_.handles(), ElementsAre("net1.c1f0aa"));
}

TEST_F(CalicoAdd, TakesThePoolThatTheAnnotationNames)
{
    node_.put_pool("p1", "10.80.0.0/26");
    node_.put_pool("p2", "10.90.0.0/26");

    node_.added(
        pod_, {.pod = "web-1", .annotations = R"({"cni.projectcalico.org/ipv4pools":"[\"p2\"]"})"});

    EXPECT_THAT(node_.held(), ElementsAre("10.90.0.0 net1.c1f0aa"));
}

TEST_F(CalicoAdd, TakesTheAddressThatTheAnnotationAsksForAndRoutesToIt)
{
    node_.put_pool("p4", "10.80.0.0/26");

    const std::string result = node_.added(
        pod_,
        {.pod = "web-1", .annotations = R"({"cni.projectcalico.org/ipAddrs":"[\"10.80.0.11\"]"})"});

    EXPECT_THAT(result, Not(HasSubstr("routes")));
    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.11 net1.c1f0aa"));
    EXPECT_THAT(node_.netns().ip({"route"}), HasSubstr("10.80.0.11 dev"));  // Q12
}

TEST_F(CalicoAdd, GetsItsAddressAgainBeforeItsLastContainerIsGone)
{
    node_.put_pool("p4", "10.80.0.0/26");
    const char *annotations = R"({"cni.projectcalico.org/ipAddrs":"[\"10.80.0.11\"]"})";
    node_.added(pod_, {.pod = "web-1", .annotations = annotations});

    const Netns other;
    node_.added(other, {.container = "c2", .pod = "web-1", .annotations = annotations});

    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.11 net1.c2"));
}

TEST_F(CalicoAdd, TakesGivenAddressesWithoutIpamWhereThatIsEnabled)
{
    const char *annotations = R"({"cni.projectcalico.org/ipAddrsNoIpam":"[\"192.0.2.7\"]"})";
    EXPECT_THAT(refusal({.pod = "web-1", .annotations = annotations}),
                HasSubstr("requested feature is not enabled: ip_addrs_no_ipam"));

    node_.added(pod_, {.pod = "web-1",
                       .keys = R"(,"feature_control":{"ip_addrs_no_ipam":true})",
                       .annotations = annotations});

    EXPECT_THAT(node_.handles(), IsEmpty());
    EXPECT_THAT(pod_.ip({"-4", "-o", "addr"}), HasSubstr("192.0.2.7/32"));
}

TEST_F(CalicoAdd, TakesAnAddressOfCniArgs)
{
    node_.put_pool("p4", "10.80.0.0/26");

    node_.added(pod_, {.pod = "web-1", .args = "IP=10.80.0.9"});

    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.9 net1.c1f0aa"));
}

TEST_F(CalicoAdd, SetsTheMacAddressThatTheAnnotationAsksFor)
{
    node_.put_pool("p4", "10.80.0.0/26");

    node_.added(pod_, {.pod = "web-1",
                       .annotations = R"({"cni.projectcalico.org/hwAddr":"CA:FE:CA:FE:CA:FE"})"});

    EXPECT_THAT(pod_.ip({"link", "show", "eth0"}), HasSubstr("ca:fe:ca:fe:ca:fe"));
    EXPECT_EQ(node_.endpoints().at(0).mac, "ca:fe:ca:fe:ca:fe");
}

TEST_F(CalicoAdd, WritesFloatingAddressesSourcePrefixesAndQos)
{
    node_.put_pool("p4", "10.80.0.0/26");

    node_.added(pod_, {.pod = "web-1",
                       .keys = R"(,"feature_control":{"floating_ips":true})",
                       .annotations = R"({"cni.projectcalico.org/floatingIPs":"[\"1.2.3.4\"]",
                           "cni.projectcalico.org/allowedSourcePrefixes":"[\"10.1.2.3/8\"]",
                           "kubernetes.io/ingress-bandwidth":"10M"})"});

    const store::Endpoint endpoint = node_.endpoints().at(0);
    ASSERT_EQ(endpoint.ip_nats.size(), 1U);
    EXPECT_EQ(endpoint.ip_nats[0].internal_ip, "10.80.0.0");
    EXPECT_EQ(endpoint.ip_nats[0].external_ip, "1.2.3.4");
    EXPECT_THAT(endpoint.allow_spoofed_source_prefixes, ElementsAre("10.0.0.0/8"));
    EXPECT_THAT(endpoint.qos_controls, HasSubstr("\"ingressBandwidth\":10000000"));
}

TEST_F(CalicoAdd, LetsAPodForwardWhereTheConfigurationSaysSo)
{
    node_.put_pool("p4", "10.80.0.0/26");

    node_.added(pod_,
                {.pod = "web-1", .keys = R"(,"container_settings":{"allow_ip_forwarding":true})"});

    EXPECT_EQ(pod_.inside([] { return read_sysctl("ipv4/ip_forward"); }).value(), "1");
}

TEST_F(CalicoAdd, RefusesBeforeItChangesAnything)
{
    node_.put_pool("p4", "10.80.0.0/26");
    const auto annotated = [&](const std::string &name, const std::string &value) {
        return refusal(
            {.pod = "web-1",
             .annotations = R"({"cni.projectcalico.org/)" + name + R"(":")" + value + R"("})"});
    };

    EXPECT_THAT(annotated("ipv4pools", "junk"),
                HasSubstr("invalid character 'j' looking for beginning of value"));
    EXPECT_THAT(annotated("ipv4pools", R"([\"none\"])"),
                HasSubstr(R"(error parsing pool \"none\": invalid CIDR address: none)"));
    EXPECT_THAT(annotated("hwAddr", "xx"), HasSubstr("failed to parse MAC address xx"));
    EXPECT_THAT(annotated("allowedSourcePrefixes", R"([\"x\"])"),
                HasSubstr("failed to parse 'x' as a CIDR"));
    EXPECT_THAT(annotated("floatingIPs", R"([\"1.2.3.4\"])"),
                HasSubstr("requested feature is not enabled: floating_ips"));
    EXPECT_THAT(annotated("ipAddrs", R"([\"192.0.2.1\"])"),
                HasSubstr("error getting IP from IPAM: "));
    EXPECT_THAT(refusal({.pod = "web-1", .keys = R"(,"device_type":"ipvlan")"}),
                HasSubstr(R"(unknown device_type \"ipvlan\" in CNI config)"));
    EXPECT_THAT(refusal({.pod = "web-1", .keys = R"(,"dataplane_options":{"type":"grpc"})"}),
                HasSubstr("the gRPC dataplane is not supported by this plugin"));
    EXPECT_THAT(refusal({.pod = "web-1", .keys = R"(,"dataplane_options":{"type":"x"})"}),
                HasSubstr("invalid dataplane type: x"));
    EXPECT_THAT(refusal({.pod = "web-1", .keys = R"(,"readiness_gates":"http://gate.example")"}),
                HasSubstr("\"code\": 7"));
    EXPECT_THAT(refusal({.pod = "web-1", .keys = R"(,"policy_setup_timeout_seconds":-1)"}),
                HasSubstr("invalid pod startup delay of -1"));
    EXPECT_THAT(refusal({.container = "with_underscore", .pod = "web-1"}),
                HasSubstr("error with field containerID"));
    EXPECT_THAT(refusal({.keys = R"(,"feature_control":{"ip_addrs_no_ipam":true})", .policy = ""}),
                HasSubstr("requested feature is not supported for this runtime: "
                          "ip_addrs_no_ipam"));
}

TEST_F(CalicoAdd, LeavesNothingWhenTheLinkCannotBeMade)
{
    node_.put_pool("p4", "10.80.0.0/26");
    pod_.ip({"link", "add", "eth0", "type", "veth", "peer", "name", "other"});

    EXPECT_THAT(refusal({.pod = "web-1"}), HasSubstr("file exists"));
}

TEST_F(CalicoAdd, LeavesNothingWhenAFloatingAddressHasNoFamily)
{
    node_.put_pool("p4", "10.80.0.0/26");
    EXPECT_THAT(
        refusal({.pod = "web-1",
                 .keys = R"(,"feature_control":{"floating_ips":true})",
                 .annotations = R"({"cni.projectcalico.org/floatingIPs":"[\"fd01::1\"]"})"}),
        HasSubstr("floating IP fd01::1: the pod has no IPv6 address"));
}

TEST_F(CalicoAdd, TellsThatAPoolIsExhausted)
{
    node_.put_pool("p4", "10.80.0.0/32", 32);
    const Netns first;
    node_.added(first, {.container = "c0", .pod = "web-0"});

    const PluginOutcome full = node_.add(pod_, {.pod = "web-1"});

    EXPECT_EQ(full.status, 1);
    EXPECT_THAT(full.out, HasSubstr("failed to request IPv4 addresses: Assigned 0 out of 1 "
                                    "requested IPv4 addresses; No IPs available in pools: "
                                    "[10.80.0.0/32]"));
    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.0 net1.c0"));
}

TEST_F(CalicoAdd, ReplacesAnOldInterfaceOfTheSameNameOnTheNode)
{
    node_.put_pool("p4", "10.80.0.0/26");
    node_.netns().ip({"link", "add", kWebInterface, "type", "veth", "peer", "name", "old-peer"});

    node_.added(pod_, {.pod = "web-1"});

    EXPECT_THAT(node_.netns().ip({"-o", "link"}), Not(HasSubstr("old-peer")));
}

TEST_F(CalicoAdd, GivesAnotherContainerOfThePodItsOwnAddress)
{
    node_.put_pool("p4", "10.80.0.0/26");
    node_.added(pod_, {.pod = "web-1"});

    const std::string second = node_.added(pod_, {.container = "new-container-id", .pod = "web-1"});

    EXPECT_THAT(second, HasSubstr("10.80.0.1/32"));
    EXPECT_THAT(node_.held(),
                ElementsAre("10.80.0.0 net1.c1f0aa", "10.80.0.1 net1.new-container-id"));
    ASSERT_EQ(node_.endpoints().size(), 1U);
    EXPECT_EQ(node_.endpoints()[0].container_id, "new-container-id");
}

TEST_F(CalicoAdd, FailsOnALeftoverInterfaceWhoseNodeSideHasAnotherName)
{
    node_.put_pool("p4", "10.80.0.0/26");
    node_.added(pod_, {.pod = "web-1"});
    node_.netns().ip({"link", "set", kWebInterface, "down"});
    node_.netns().ip({"link", "set", kWebInterface, "name", "sali751425ce827"});

    const PluginOutcome second = node_.add(pod_, {.container = "c2", .pod = "web-1"});

    EXPECT_EQ(second.status, 1);
    EXPECT_THAT(node_.held(), ElementsAre("10.80.0.0 net1.c1f0aa"));
}

TEST_F(CalicoAdd, KeepsOneEndpointForASecondInterfaceOfAPod)
{
    node_.put_pool("p4", "10.80.0.0/26");
    node_.added(pod_, {.pod = "web-1"});
    const Netns other;
    node_.added(other, {.container = "c9", .pod = "web-1-1"});

    node_.added(pod_, {.pod = "web-1", .ifname = "eth1"});

    const auto endpoints = node_.endpoints();
    ASSERT_EQ(endpoints.size(), 2U);
    EXPECT_EQ(endpoints[0].name, "node--a-k8s-web--1--1-eth0");
    EXPECT_EQ(endpoints[1].name, "node--a-k8s-web--1-eth0");
    const PluginOutcome gone = node_.del(pod_, {.pod = "web-1", .ifname = "eth1"});
    EXPECT_EQ(gone.status, 0) << gone.out;
    EXPECT_EQ(node_.endpoints().size(), 1U);  // Q21: by the container, whatever the interface
}

TEST_F(CalicoAdd, AsksHostLocalAndRoutesWhereItsConfigurationSays)
{
    const std::string ipam = R"({"type":"host-local","dataDir":")" + node_.folder() +
                             R"(/networks","ranges":[[{"subnet":"10.10.0.0/24"}]],)"
                             R"("routes":[{"dst":"10.123.0.0/16","gw":"10.10.0.1"}]})";

    const std::string result = node_.added(pod_, {.pod = "web-1", .ipam = ipam});

    EXPECT_THAT(result, HasSubstr("\"address\": \"10.10.0.2/32\""));
    EXPECT_THAT(result, Not(HasSubstr("gateway")));
    EXPECT_EQ(pod_.ip({"route"}),
              "10.123.0.0/16 via 169.254.1.1 dev eth0 \n169.254.1.1 dev eth0 scope link \n");
    EXPECT_EQ(node_.del(pod_, {.pod = "web-1", .ipam = ipam}).status, 0);
    EXPECT_THAT(node_.endpoints(), IsEmpty());
}

TEST_F(CalicoAdd, HandsOnTheErrorOfAnotherIpamAsItIs)
{
    EXPECT_THAT(refusal({.pod = "web-1", .ipam = R"({"type":"no-such-ipam"})"}),
                HasSubstr("failed to find plugin \\\"no-such-ipam\\\" in path ["));
    EXPECT_THAT(refusal({.pod = "web-1", .ipam = "{}"}), HasSubstr("no plugin name provided"));
    EXPECT_THAT(refusal({.pod = "web-1", .ipam = R"({"type":"a/b"})"}),
                HasSubstr("invalid plugin name: a/b"));
}

}  // namespace
}  // namespace tortie::test
