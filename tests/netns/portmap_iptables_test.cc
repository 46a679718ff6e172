// SPDX-License-Identifier: Apache-2.0
//
// What iptables sees of portmap: the very rules, and how often it is run.
#include <sys/stat.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "netns/portmap_node.h"

namespace tortie::test {
namespace {

using testing::HasSubstr;
using testing::Not;

// What the Go plugin v1.9.1 makes of the same call, in iptables-save's words (portmap_go_test.cc
// compares more of them where that plugin is at hand).
constexpr const char *kRules[] = {
    ":CNI-DN-692d1922717b10c2f0d4f -",
    ":CNI-HOSTPORT-DNAT -",
    ":CNI-HOSTPORT-MASQ -",
    ":CNI-HOSTPORT-SETMARK -",
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A POSTROUTING -m comment --comment \"CNI portfwd requiring masquerade\" -j CNI-HOSTPORT-MASQ",
    "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"pmnet\\\" id: "
    "\\\"cont1\\\"\" -m multiport --dports 8080 -j CNI-DN-692d1922717b10c2f0d4f",
    "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
    "-A CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\" -j MARK "
    "--set-xmark 0x2000/0x2000",
    "-A CNI-DN-692d1922717b10c2f0d4f -s 10.66.0.0/24 -p tcp -m tcp --dport 8080 -j "
    "CNI-HOSTPORT-SETMARK",
    "-A CNI-DN-692d1922717b10c2f0d4f -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j "
    "CNI-HOSTPORT-SETMARK",
    "-A CNI-DN-692d1922717b10c2f0d4f -p tcp -m tcp --dport 8080 -j DNAT --to-destination "
    "10.66.0.2:80"};

class PortmapRules : public testing::TestWithParam<Way> {};

INSTANTIATE_TEST_SUITE_P(, PortmapRules, testing::Values(kIptablesNft, kIptablesLegacy),
                         [](const auto &test) { return test.param.name; });

TEST_P(PortmapRules, AreTheGoPluginsByteForByteAndGoWithDel)
{
    TORTIE_NEEDS_ROOT();
    const PortmapNode net(GetParam());
    const PortmapCall call = {.mappings = tcp(8080, 80), .container = "cont1", .ipv6 = false};
    const auto container_lines = [&] {
        std::vector<std::string> lines;
        const std::string saved = net.saved_rules();
        for (const std::string_view line : split(saved, '\n'))
            if (line.find("CNI-") != std::string_view::npos)
                lines.emplace_back(line);
        return lines;
    };

    net.add(kPodOne, call);
    EXPECT_THAT(container_lines(), testing::UnorderedElementsAreArray(kRules));
    EXPECT_EQ(net.check(kPodOne, call).status, 0);

    net.del(kPodOne, call);
    EXPECT_THAT(container_lines(), testing::Each(Not(HasSubstr("692d19"))));
    EXPECT_THAT(container_lines(), testing::Contains(std::string(kRules[4])));
    EXPECT_EQ(net.check(kPodOne, call).status, 1);
}

TEST(PortmapOverNfTables, DelEmptiesAChainThatSomebodyElsesRuleLeadsTo)
{
    TORTIE_NEEDS_ROOT();
    const PortmapNode net(kIptablesNft);
    const PortmapCall other = {.mappings = tcp(8080, 80) + "," + udp(53, 53)};
    net.add(kPodOne, other);
    net.add(kPodTwo, {.mappings = tcp(8081, 80)});
    const std::string chain = "CNI-DN-692d1922717b10c2f0d4f";  // of pmnet and cont1
    net.add(kPodOne, {.mappings = tcp(8082, 80), .container = "cont1"});
    net.node().run({"iptables-nft", "-t", "nat", "-A", "OUTPUT", "-j", chain});

    net.del(kPodOne, {.mappings = tcp(8082, 80), .container = "cont1"});

    const std::string rules = net.saved_rules();
    EXPECT_THAT(rules, HasSubstr("-A OUTPUT -j " + chain));
    EXPECT_THAT(rules, Not(HasSubstr("-A " + chain)));
    EXPECT_THAT(rules, Not(HasSubstr("8082")));
    EXPECT_EQ(net.check(kPodOne, other).status, 0);
    EXPECT_EQ(net.check(kPodTwo, {.mappings = tcp(8081, 80)}).status, 0);
}

// A call that has nothing to do starts no program: an iptables that would tell is first in PATH.
class PortmapChildren : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        net_.emplace(kIptablesNft);
        for (const char *tool : {"iptables", "iptables-save", "iptables-restore", "ip6tables",
                                 "ip6tables-save", "ip6tables-restore", "nft"}) {
            const std::string path = spies_ / tool;
            std::ofstream(path) << "#!/bin/sh\necho " << tool << " >> " << (spies_ / "log")
                                << "\nexec /usr/sbin/" << tool << " \"$@\"\n";
            ::chmod(path.c_str(), 0755);
        }
    }

    std::vector<std::string> children_of(const std::string &verb, const std::string &config) const
    {
        ::unlink((spies_ / "log").c_str());
        auto env = net_->env_of(verb, kPodOne, {});
        env["PATH"] = spies_.path();
        const PluginOutcome outcome = net_->node().inside([&] {
            return run_plugin({.binary = ours(), .env = env, .input = config, .arguments = {}});
        });
        EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
        std::vector<std::string> tools;
        std::ifstream log(spies_ / "log");
        for (std::string line; std::getline(log, line);)
            tools.push_back(line);
        return tools;
    }

    std::string config(const std::string &mappings) const
    {
        return net_->config_of(kPodOne, {.mappings = mappings});
    }

    TempDir spies_;
    std::optional<PortmapNode> net_;
};

TEST_F(PortmapChildren, AreNoneWithoutMappings)
{
    EXPECT_THAT(children_of("ADD", config("")), testing::IsEmpty());
    EXPECT_THAT(children_of("CHECK", config("")), testing::IsEmpty());
    EXPECT_THAT(children_of("DEL", config("")), testing::IsEmpty());
}

TEST_F(PortmapChildren, AreTwoAFamilyForAddAndNoneForDel)
{
    const std::string one_port = config(tcp(8080, 80) + "," + udp(53, 53));

    EXPECT_THAT(children_of("ADD", one_port),
                testing::UnorderedElementsAre("iptables-save", "iptables-restore", "ip6tables-save",
                                              "ip6tables-restore"));
    EXPECT_THAT(children_of("CHECK", one_port),
                testing::UnorderedElementsAre("iptables-save", "ip6tables-save"));
    EXPECT_THAT(children_of("DEL", one_port), testing::IsEmpty());
    EXPECT_THAT(net_->saved_rules(), Not(HasSubstr("CNI-DN-")));
    EXPECT_THAT(children_of("DEL", one_port), testing::IsEmpty());
}

}  // namespace
}  // namespace tortie::test
