// SPDX-License-Identifier: Apache-2.0
#include "portmap/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tortie::portmap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

cni::Request request_of(const std::string &keys, const std::string &version = "1.0.0")
{
    cni::Request request;
    request.command = "ADD";
    request.container_id = "cont1";
    request.ifname = "eth0";
    request.network = "pmnet";
    request.cni_version = version;
    request.config =
        cni::Json::parse_object(R"({"cniVersion": ")" + version + R"(", "name": "pmnet")" +
                                (keys.empty() ? "" : ", " + keys) + "}")
            .value();
    return request;
}

Config parsed(const std::string &keys)
{
    auto config = parse_config(request_of(keys));
    if (!config) {
        ADD_FAILURE() << config.error().what();
        return {};
    }
    return *std::move(config);
}

std::string refusal(const std::string &keys)
{
    const auto config = parse_config(request_of(keys));
    return config ? "accepted" : config.error().what();
}

std::string mappings(const std::string &entries)
{
    return R"("runtimeConfig": {"portMappings": [)" + entries + "]}";
}

std::string previous(const std::string &interfaces, const std::string &ips)
{
    return R"("prevResult": {"cniVersion": "1.0.0", "interfaces": [)" + interfaces +
           R"(], "ips": [)" + ips + "]}";
}

std::vector<std::string> addresses(const Config &config)
{
    std::vector<std::string> texts;
    for (const Cidr &cidr : config.publication.addresses)
        texts.push_back(cidr.to_string());
    return texts;
}

TEST(PortmapConfig, HasTheDefaultsOfTheGoPlugin)
{
    const Config config = parsed("");

    EXPECT_TRUE(config.publication.policy.snat);
    EXPECT_FALSE(config.publication.policy.masq_all);
    EXPECT_EQ(config.publication.policy.mark_masq_bit, 13U);
    EXPECT_THAT(config.publication.mappings, IsEmpty());
    EXPECT_FALSE(config.previous);
}

TEST(PortmapConfig, TakesNullForAbsent)
{
    const Config config = parsed(
        R"("snat": null, "masqAll": null, "markMasqBit": null, "externalSetMarkChain": null,
           "conditionsV4": null, "conditionsV6": null, "backend": null, "prevResult": null,
           "runtimeConfig": null)");

    EXPECT_TRUE(config.publication.policy.snat);
    EXPECT_EQ(config.backend, Backend::kNftables);
    EXPECT_FALSE(config.backend_given);
}

TEST(PortmapConfig, ReadsMappingsAsContainerdWritesThem)
{
    const Config config = parsed(mappings(
        R"({"HostPort": 18080, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""},
           {"hostPort": 53, "containerPort": 5353, "protocol": "UDP", "hostIP": "192.0.2.1"},
           {"hostPort": 9, "containerPort": 9, "protocol": "sctp", "hostIP": null},
           {"hostPort": 10, "containerPort": 10, "protocol": "tcp"})"));

    const auto &all = config.publication.mappings;
    ASSERT_THAT(all, SizeIs(4));
    EXPECT_EQ(all[0].host_port, 18080);
    EXPECT_EQ(all[0].container_port, 80);
    EXPECT_FALSE(all[0].host_ip);
    EXPECT_EQ(all[1].protocol, Protocol::kUdp);
    EXPECT_EQ(all[1].protocol_text, "UDP");
    EXPECT_EQ(all[1].host_ip, IpAddr::parse("192.0.2.1"));
    EXPECT_EQ(all[2].protocol, Protocol::kSctp);
    EXPECT_FALSE(all[2].host_ip);
    EXPECT_FALSE(all[3].host_ip);
}

struct Refused {
    const char *name;
    std::string keys;
    std::string text;
};

class PortmapConfigRefuses : public testing::TestWithParam<Refused> {};

INSTANTIATE_TEST_SUITE_P(
    , PortmapConfigRefuses,
    testing::Values(
        Refused{"TwoMarks", R"("externalSetMarkChain": "X", "markMasqBit": 1)",
                "Cannot specify externalSetMarkChain and markMasqBit"},
        Refused{"BitTooHigh", R"("markMasqBit": 32)", "MasqMarkBit must be between 0 and 31"},
        Refused{"BitNegative", R"("markMasqBit": -1)", "MasqMarkBit must be between 0 and 31"},
        Refused{"IptablesWordsForNftables",
                R"("backend": "nftables", "conditionsV4": ["-s", "1.2.3.4"],
                   "conditionsV6": ["!", "-s", "::1"], "externalSetMarkChain": "X")",
                "nftables backend was requested but configuration contains iptables-specific "
                "options [externalSetMarkChain conditionsV4 conditionsV6]"},
        Refused{"NftWordsForIptables",
                R"("backend": "iptables", "conditionsV6": ["ip6", "saddr", "::1"])",
                "iptables backend was requested but configuration contains nftables-specific "
                "options [conditionsV6]"},
        Refused{"WordsOfBothKinds", R"("conditionsV4": ["-s", "1.2.3.4"],
                                       "conditionsV6": ["ip6", "saddr", "::1"])",
                "iptables backend was requested but configuration contains nftables-specific "
                "options [conditionsV6]"},
        Refused{"NftWordsWithAMarkBit",
                R"("markMasqBit": 5, "conditionsV4": ["ip", "saddr", "1.2.3.4"])",
                "iptables backend was requested but configuration contains nftables-specific "
                "options [conditionsV4]"},
        Refused{"AnEmptyBackend", R"("backend": "")", R"(unrecognized backend "")"},
        Refused{"AnUnknownDatapath", R"("datapath": "xdp")", R"(unrecognized datapath "xdp")"},
        Refused{"AnUnknownBackend", R"("backend": "ipfw")", R"(unrecognized backend "ipfw")"},
        Refused{"AnUnknownBackendWithIptablesWords",
                R"("backend": "ipfw", "conditionsV4": ["-s", "1.2.3.4"])",
                "ipfw backend was requested but configuration contains iptables-specific options "
                "[conditionsV4]"},
        Refused{"ContainerPortZero",
                mappings(R"({"hostPort": 0, "containerPort": 0, "protocol": "tcp"})"),
                "Invalid container port number: 0"},
        Refused{"HostPortNegative",
                mappings(R"({"hostPort": -1, "containerPort": 1, "protocol": "tcp"})"),
                "Invalid host port number: -1"},
        Refused{"HostPortTooHigh",
                mappings(R"({"hostPort": 65536, "containerPort": 1, "protocol": "tcp"})"),
                "Invalid host port number: 65536"},
        Refused{"ContainerPortTooHigh",
                mappings(R"({"hostPort": 1, "containerPort": 70000, "protocol": "tcp"})"),
                "Invalid container port number: 70000"},
        Refused{"NoProtocol", mappings(R"({"hostPort": 1, "containerPort": 1})"),
                R"(Invalid protocol: "")"},
        Refused{"AnUnknownProtocol",
                mappings(R"({"hostPort": 1, "containerPort": 1, "protocol": "icmp"})"),
                R"(Invalid protocol: "icmp")"},
        Refused{"ABadHostIp", mappings(R"({"hostPort": 1, "containerPort": 1, "protocol": "tcp",
                                           "hostIP": "10.0.0.300"})"),
                R"(Invalid host IP: "10.0.0.300")"},
        Refused{"AHostIpWithAPrefix", mappings(R"({"hostPort": 1, "containerPort": 1,
                                           "protocol": "tcp", "hostIP": "10.0.0.1/24"})"),
                R"(Invalid host IP: "10.0.0.1/24")"},
        Refused{"AnEmptyCondition", R"("backend": "iptables", "conditionsV4": [""])",
                "invalid conditionsV4: Bad argument `'"},
        Refused{"AConditionOfTwoLines", R"("conditionsV6": ["-s", "::1\nCOMMIT"])",
                "invalid conditionsV6: control character in an iptables argument"},
        Refused{"AMarkChainThatIsAnOption", R"("externalSetMarkChain": "-F")",
                R"(invalid externalSetMarkChain "-F")"},
        Refused{"AMarkChainOfTwoWords", R"("externalSetMarkChain": "A -j B")",
                R"(invalid externalSetMarkChain "A -j B")"}),
    [](const auto &test) { return test.param.name; });

TEST_P(PortmapConfigRefuses, WithAText)
{
    EXPECT_EQ(refusal(GetParam().keys), GetParam().text);
}

TEST(PortmapConfig, ReportsTypesBeforeEverythingElse)
{
    EXPECT_THAT(refusal(R"("markMasqBit": 99, "snat": "yes")"),
                StartsWith("failed to parse network configuration: json: cannot unmarshal"));
    EXPECT_THAT(refusal(R"("runtimeConfig": {"portMappings": {}})"),
                StartsWith("failed to parse network configuration: json: cannot unmarshal"));
    EXPECT_THAT(refusal(mappings("7")),
                StartsWith("failed to parse network configuration: json: cannot unmarshal"));
    EXPECT_THAT(refusal(mappings(R"({"hostPort": "80"})")),
                StartsWith("failed to parse network configuration: json: cannot unmarshal"));
}

// 4.8: to nft an empty word is nothing, to iptables a bad argument.
TEST(PortmapConfig, TakesAnEmptyConditionForNoneWithNftables)
{
    EXPECT_TRUE(parsed(R"("backend": "nftables", "conditionsV4": [""])").backend_given);
}

TEST(PortmapConfig, TakesTheDatapathByNameAndLeavesItToTheNodeOtherwise)
{
    EXPECT_EQ(parsed(R"("snat": true)").datapath, caps::Datapath::kAuto);
    EXPECT_EQ(parsed(R"("datapath": "auto")").datapath, caps::Datapath::kAuto);
    EXPECT_EQ(parsed(R"("datapath": "ebpf")").datapath, caps::Datapath::kEbpf);
    EXPECT_EQ(parsed(R"("datapath": "ebpf-full")").datapath, caps::Datapath::kEbpfFull);
    EXPECT_EQ(parsed(R"("datapath": "netfilter")").datapath, caps::Datapath::kNetfilter);
}

TEST(PortmapConfig, ReportsPrevResultBeforeTheMarksAndTwicePrefixed)
{
    EXPECT_THAT(refusal(R"("markMasqBit": 99, "prevResult": {"cniVersion": "0.4.0"})"),
                StartsWith("could not parse prevResult: could not parse prevResult: "));
}

TEST(PortmapConfig, ReportsTheBackendBeforeThePorts)
{
    EXPECT_EQ(refusal(R"("backend": "x", )" + mappings(R"({"hostPort": 0})")),
              R"(unrecognized backend "x")");
}

TEST(PortmapConfig, ChoosesIptablesOnlyForWhatOnlyIptablesCanDo)
{
    EXPECT_EQ(parsed("").backend, Backend::kNftables);
    EXPECT_EQ(parsed(R"("conditionsV4": ["ip", "saddr", "10.0.0.0/8"])").backend,
              Backend::kNftables);
    EXPECT_EQ(parsed(R"("conditionsV4": ["!", "-s", "10.0.0.0/8"])").backend, Backend::kIptables);
    EXPECT_EQ(parsed(R"("conditionsV6": ["-s", "::1"])").backend, Backend::kIptables);
    EXPECT_EQ(parsed(R"("externalSetMarkChain": "KUBE-MARK-MASQ")").backend, Backend::kIptables);
    EXPECT_EQ(parsed(R"("markMasqBit": 14)").backend, Backend::kIptables);
    EXPECT_FALSE(parsed(R"("markMasqBit": 14)").backend_given);
    EXPECT_EQ(parsed(R"("backend": "iptables")").backend, Backend::kIptables);
    EXPECT_TRUE(parsed(R"("backend": "iptables")").backend_given);
    EXPECT_EQ(parsed(R"("backend": "nftables", "markMasqBit": 14)").backend, Backend::kNftables);
}

TEST(PortmapConfig, TakesTheFirstAddressOfEachFamilyOfTheContainersInterface)
{
    const Config config =
        parsed(previous(R"({"name": "br0"}, {"name": "eth0"}, {"name": "eth0", "sandbox": "/x"})",
                        R"({"address": "10.0.0.1/24", "interface": 0},
                    {"address": "10.0.0.2/24", "interface": 1},
                    {"address": "fd00::3/64", "interface": 2},
                    {"address": "10.0.0.4/24", "interface": 2},
                    {"address": "10.0.0.5/24", "interface": 2},
                    {"address": "fd00::6/64", "interface": 2})"));

    EXPECT_THAT(addresses(config), ElementsAre("10.0.0.4/24", "fd00::3/64"));
}

TEST(PortmapConfig, AcceptsAnAddressWhoseInterfaceIsUnknown)
{
    EXPECT_THAT(addresses(parsed(previous("", R"({"address": "10.0.0.1/24"})"))),
                ElementsAre("10.0.0.1/24"));
    EXPECT_THAT(addresses(parsed(previous("", R"({"address": "10.0.0.1/24", "interface": 3})"))),
                ElementsAre("10.0.0.1/24"));
    EXPECT_THAT(addresses(parsed(previous("", R"({"address": "10.0.0.1/24", "interface": -1})"))),
                ElementsAre("10.0.0.1/24"));
}

TEST(PortmapConfig, SalvagesTheAddressesOfAConfigurationThatCannotBeUsed)
{
    const cni::Request request =
        request_of(R"("backend": "nonsense", )" + previous("", R"({"address": "10.0.0.1/24"})"));

    const Config config = salvage_config(request);

    EXPECT_EQ(config.publication.attachment.container_id, "cont1");
    EXPECT_EQ(config.publication.attachment.network, "pmnet");
    EXPECT_THAT(addresses(config), ElementsAre("10.0.0.1/24"));
    EXPECT_FALSE(config.backend_given);
}

TEST(PortmapConfig, SalvagesTheAttachmentWhenNothingElseIsSound)
{
    const Config config = salvage_config(request_of(R"("prevResult": 5, "runtimeConfig": [])"));

    EXPECT_EQ(config.publication.attachment.container_id, "cont1");
    EXPECT_THAT(config.publication.addresses, IsEmpty());
}

}  // namespace
}  // namespace tortie::portmap
