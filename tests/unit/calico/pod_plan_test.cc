// SPDX-License-Identifier: Apache-2.0
// Texts: spec calico-cni.md 3.3.
#include "calico/pod_plan.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::calico {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

const PlanRules kRules{
    .ipam_type = "calico-ipam", .ip_addrs_no_ipam = true, .floating_ips = true, .writes_qos = true};

kube::StringMap annotation(const std::string &name, const std::string &value)
{
    return {{"cni.projectcalico.org/" + name, value}};
}

std::string refusal(const kube::StringMap &pod, const PlanRules &rules = kRules)
{
    const auto plan = plan_of(pod, {}, rules);
    return plan ? "accepted" : plan.error().what();
}

TEST(PodPlan, AsksForNothingWithoutAnnotations)
{
    const PodPlan plan = plan_of({{"app", "web"}}, {}, kRules).value();

    EXPECT_EQ(plan.ipv4_pools, std::nullopt);
    EXPECT_EQ(plan.assign_ipv4, std::nullopt);
    EXPECT_THAT(plan.requested, IsEmpty());
    EXPECT_THAT(plan.given, IsEmpty());
    EXPECT_EQ(plan.mac, std::nullopt);
    EXPECT_EQ(plan.qos_controls, "");
}

TEST(PodPlan, TakesPoolsOfThePodOverThoseOfItsNamespace)
{
    const auto ns = annotation("ipv4pools", R"(["pool-of-ns"])");

    EXPECT_THAT(plan_of({}, ns, kRules)->ipv4_pools, Optional(ElementsAre("pool-of-ns")));
    EXPECT_THAT(plan_of(annotation("ipv4pools", R"(["10.0.0.0/16", "b"])"), ns, kRules)->ipv4_pools,
                Optional(ElementsAre("10.0.0.0/16", "b")));
    EXPECT_THAT(plan_of(annotation("ipv6pools", R"(["fd00::/64"])"), {}, kRules)->ipv6_pools,
                Optional(ElementsAre("fd00::/64")));
}

TEST(PodPlan, TakesPoolsAndFamiliesOnlyWithCalicosOwnIpam)
{
    PlanRules rules = kRules;
    rules.ipam_type = "host-local";
    const PodPlan plan = plan_of(annotation("ipv4pools", R"(["a"])"), {}, rules).value();

    EXPECT_EQ(plan.ipv4_pools, std::nullopt);
}

TEST(PodPlan, HandsOnWhatIsWrongWithThePools)
{
    EXPECT_EQ(refusal(annotation("ipv4pools", "junk")),
              "invalid character 'j' looking for beginning of value");
    EXPECT_EQ(refusal(annotation("ipv4pools", R"(["a")")), "unexpected end of JSON input");
    EXPECT_EQ(refusal(annotation("ipv4pools", R"("a")")),
              "json: cannot unmarshal string into Go value of type []string");
    EXPECT_EQ(refusal(annotation("ipv6pools", "[1]")),
              "json: cannot unmarshal number into Go value of type string");
}

TEST(PodPlan, SetsBothFamilies)
{
    const PodPlan plan = plan_of({}, annotation("ipFamilies", R"(["IPv6"])"), kRules).value();

    EXPECT_EQ(plan.assign_ipv4, false);
    EXPECT_EQ(plan.assign_ipv6, true);
    EXPECT_EQ(refusal(annotation("ipFamilies", R"(["ipv4"])")),
              R"(error parsing ipFamilies: ["ipv4"])");
}

TEST(PodPlan, TakesOneRequestedAddressOfEachFamily)
{
    const PodPlan plan =
        plan_of(annotation("ipAddrs", R"(["20.0.0.111", "fd00::5"])"), {}, kRules).value();

    EXPECT_THAT(plan.requested,
                ElementsAre(*IpAddr::parse("20.0.0.111"), *IpAddr::parse("fd00::5")));
    EXPECT_EQ(refusal(annotation("ipAddrs", R"(["10.0.0.1", "10.0.0.2"])")),
              "cannot have more than one IPv4 address for \"cni.projectcalico.org/ipAddrs\" "
              "annotation");
    EXPECT_EQ(refusal(annotation("ipAddrsNoIpam", R"(["fd00::1", "fd00::2"])")),
              "cannot have more than one IPv6 address for \"cni.projectcalico.org/ipAddrsNoIpam\" "
              "annotation");
    EXPECT_EQ(refusal(annotation("ipAddrs", R"(["10.0.0.1/24"])")),
              "invalid IP format: 10.0.0.1/24");
    EXPECT_EQ(refusal(annotation("ipAddrs", "[]")),
              "annotation \"cni.projectcalico.org/ipAddrs\" specified but empty");
    EXPECT_EQ(refusal(annotation("ipAddrs", "10.0.0.1")),
              "failed to parse IPs 10.0.0.1 for annotation \"cni.projectcalico.org/ipAddrs\": "
              "failed to parse '10.0.0.1' as JSON: invalid character '.' in JSON text");
}

TEST(PodPlan, RefusesAddressesThatTheConfigurationDoesNotAllow)
{
    PlanRules rules = kRules;
    rules.ip_addrs_no_ipam = false;
    EXPECT_EQ(refusal(annotation("ipAddrsNoIpam", R"(["10.0.0.1"])"), rules),
              "requested feature is not enabled: ip_addrs_no_ipam");
    rules.ipam_type = "host-local";
    EXPECT_EQ(refusal(annotation("ipAddrs", R"(["10.0.0.1"])"), rules),
              "ipAddrs is not compatible with configured IPAM: host-local");
    EXPECT_EQ(refusal(annotation("ipAddrsNoIpam", R"(["10.0.0.1"])"), rules),
              "ipAddrsNoIpam is not compatible with configured IPAM: host-local");
    kube::StringMap both = annotation("ipAddrs", R"(["10.0.0.1"])");
    both.merge(annotation("ipAddrsNoIpam", R"(["10.0.0.1"])"));
    EXPECT_EQ(refusal(both),
              "can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the same time");
}

TEST(PodPlan, TakesFloatingAddressesWhereTheyAreEnabled)
{
    const auto floating = annotation("floatingIPs", R"(["1.2.3.4", "fd00::9"])");
    EXPECT_THAT(plan_of(floating, {}, kRules)->floating,
                ElementsAre(*IpAddr::parse("1.2.3.4"), *IpAddr::parse("fd00::9")));
    // Where upstream panics (spec calico-peers.md 3.4).
    EXPECT_EQ(refusal(annotation("floatingIPs", R"(["junk"])")), "invalid IP format: junk");
    EXPECT_EQ(refusal(annotation("floatingIPs", "junk")),
              "failed to parse 'junk' as JSON: invalid character 'j' looking for beginning of "
              "value");
    PlanRules rules = kRules;
    rules.floating_ips = false;
    EXPECT_EQ(refusal(floating, rules), "requested feature is not enabled: floating_ips");
}

TEST(PodPlan, ReadsAMacAddressInEveryForm)
{
    const std::array<std::uint8_t, 6> expected{0xca, 0xfe, 0xca, 0xfe, 0xca, 0xfe};
    for (const char *text : {"ca:fe:ca:fe:ca:fe", "CA-FE-CA-FE-CA-FE", "cafe.cafe.cafe"})
        EXPECT_EQ(plan_of(annotation("hwAddr", text), {}, kRules)->mac, expected) << text;
    for (const char *text :
         {"ca:fe:ca:fe:ca", "ca:fe:ca:fe:ca:fg", "cafecafecafe", "ca:fe:ca:fe:ca:fe:00:00"})
        EXPECT_FALSE(plan_of(annotation("hwAddr", text), {}, kRules)) << text;
    EXPECT_EQ(refusal(annotation("hwAddr", "xx")),
              "failed to parse MAC address xx provided via cni.projectcalico.org/hwAddr: address "
              "xx: invalid MAC address");
}

TEST(PodPlan, MasksSourcePrefixes)
{
    EXPECT_THAT(
        plan_of(annotation("allowedSourcePrefixes", R"(["10.1.2.3/8", "fd00::1/64"])"), {}, kRules)
            ->allowed_source_prefixes,
        ElementsAre("10.0.0.0/8", "fd00::/64"));
    EXPECT_EQ(refusal(annotation("allowedSourcePrefixes", R"(["10.0.0.1"])")),
              "failed to parse '10.0.0.1' as a CIDR: invalid CIDR address: 10.0.0.1");
}

TEST(PodPlan, SurvivesAMegabyteOfAnnotation)
{
    const std::string long_text(std::size_t{1} << 20, '[');
    const std::string refused = refusal(annotation("ipAddrs", long_text));
    EXPECT_NE(refused, "accepted");
    EXPECT_LT(refused.size(), 4096U);
    EXPECT_LT(refusal(annotation("floatingIPs", "[\"" + std::string(1 << 20, 'a'))).size(), 4096U);
}

TEST(PodPlan, CarriesQosOnlyWhereEndpointsAreDocuments)
{
    const kube::StringMap pod{{"kubernetes.io/ingress-bandwidth", "1M"}};
    EXPECT_NE(plan_of(pod, {}, kRules)->qos_controls, "");
    PlanRules rules = kRules;
    rules.writes_qos = false;
    EXPECT_EQ(plan_of(pod, {}, rules)->qos_controls, "");
}

}  // namespace
}  // namespace tortie::calico
