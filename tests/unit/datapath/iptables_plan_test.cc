// SPDX-License-Identifier: Apache-2.0
#include "datapath/iptables_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/strings.h"
#include "datapath/iptables_rules.h"

namespace tortie {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const Cidr kAddress = Cidr::parse("10.66.0.2/24").value();

constexpr std::string_view kEmptyTable =
    "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    ":POSTROUTING ACCEPT [0:0]\nCOMMIT\n";

PortMapping mapping(std::uint16_t host_port, std::uint16_t container_port,
                    Protocol protocol = Protocol::kTcp, std::string text = "tcp")
{
    return {.host_port = host_port,
            .container_port = container_port,
            .protocol = protocol,
            .protocol_text = std::move(text),
            .host_ip = std::nullopt};
}

Publication pod(const std::string &id = "cont1", std::uint16_t host_port = 8080)
{
    Publication publication;
    publication.attachment = {"pmnet", id, "eth0"};
    publication.addresses = {kAddress};
    publication.mappings = {mapping(host_port, 80)};
    return publication;
}

// A fake of iptables-restore --noflush and iptables-save for the commands that plans use.
class FakeTable {
public:
    void apply(const std::string &input)
    {
        for (const std::string_view line : split(input, '\n')) {
            const auto parts = words(line);
            if (line.starts_with(':')) {
                rules_[std::string(parts[0].substr(1))].clear();
            } else if (line.starts_with("-N ")) {
                ASSERT_TRUE(rules_.emplace(std::string(parts[1]), Rules()).second) << line;
            } else if (line.starts_with("-X ")) {
                ASSERT_THAT(rules_.at(std::string(parts[1])), IsEmpty()) << line;
                rules_.erase(std::string(parts[1]));
            } else if (line.starts_with("-")) {
                rule_line(line, parts);
            }
        }
    }

    std::string save() const
    {
        std::string text = "*nat\n";
        for (const auto &[chain, rules] : rules_)
            text += ":" + chain + " - [0:0]\n";
        for (const auto &[chain, rules] : rules_)
            for (const std::string &rule : rules)
                text.append("-A ").append(chain).append(" ").append(rule).append("\n");
        return text + "COMMIT\n";
    }

    std::vector<std::string> &chain(const std::string &name) { return rules_[name]; }
    bool has(const std::string &name) const { return rules_.count(name) != 0; }

private:
    using Rules = std::vector<std::string>;

    void rule_line(std::string_view line, const std::vector<std::string_view> &parts)
    {
        Rules &rules = rules_[std::string(parts[1])];
        if (parts[0] == "-I") {
            const auto at = parse_number<std::size_t>(parts[2]).value();
            ASSERT_LE(at, rules.size() + 1) << line;
            rules.insert(rules.begin() + static_cast<std::ptrdiff_t>(at - 1),
                         std::string(parts[3].data(), line.data() + line.size()));
            return;
        }
        const std::string text(parts[2].data(), line.data() + line.size());
        if (parts[0] == "-A") {
            rules.push_back(text);
        } else if (parts[0] == "-D") {
            const auto found = std::find(rules.begin(), rules.end(), text);
            ASSERT_NE(found, rules.end()) << line;
            rules.erase(found);
        }
    }

    std::map<std::string, Rules> rules_ = {
        {"PREROUTING", {}}, {"INPUT", {}}, {"OUTPUT", {}}, {"POSTROUTING", {}}};
};

std::string publish(FakeTable &table, const Publication &publication)
{
    const std::string saved = table.save();
    std::string input =
        plan_publish(SavedNat(saved), publication, publication.addresses[0]).value();
    table.apply(input);
    return input;
}

void withdraw(FakeTable &table, const Publication &publication)
{
    const std::string text = table.save();
    const SavedNat saved(text);
    const auto chains = chains_of(chains_in(saved), publication).value();
    table.apply(plan_withdraw(saved, chains));
}

TEST(IptablesPlan, MakesEverythingOnAnEmptyTable)
{
    EXPECT_EQ(plan_publish(SavedNat(kEmptyTable), pod(), kAddress).value(),
              "*nat\n"
              ":CNI-HOSTPORT-SETMARK - [0:0]\n"
              "-A CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\" "
              "-j MARK --set-xmark 0x2000/0x2000\n"
              ":CNI-HOSTPORT-MASQ - [0:0]\n"
              "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE\n"
              "-I POSTROUTING 1 -m comment --comment \"CNI portfwd requiring masquerade\" "
              "-j CNI-HOSTPORT-MASQ\n"
              "-N CNI-HOSTPORT-DNAT\n"
              "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n"
              "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n"
              ":CNI-DN-692d1922717b10c2f0d4f - [0:0]\n"
              "-A CNI-DN-692d1922717b10c2f0d4f -s 10.66.0.0/24 -p tcp -m tcp --dport 8080 "
              "-j CNI-HOSTPORT-SETMARK\n"
              "-A CNI-DN-692d1922717b10c2f0d4f -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 "
              "-j CNI-HOSTPORT-SETMARK\n"
              "-A CNI-DN-692d1922717b10c2f0d4f -p tcp -m tcp --dport 8080 "
              "-j DNAT --to-destination 10.66.0.2:80\n"
              "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"pmnet\\\" id: "
              "\\\"cont1\\\"\" -m multiport --dports 8080 -j CNI-DN-692d1922717b10c2f0d4f\n"
              "COMMIT\n");
}

TEST(IptablesPlan, HasNothingToDoWhenEverythingIsThere)
{
    FakeTable table;
    publish(table, pod());

    EXPECT_EQ(publish(table, pod()), "");
}

TEST(IptablesPlan, NeverEmptiesTheChainOfEverybodysJumps)
{
    FakeTable table;
    publish(table, pod("cont1", 8080));

    publish(table, pod("cont2", 8081));

    EXPECT_THAT(table.chain("CNI-HOSTPORT-DNAT"),
                ElementsAre(HasSubstr("cont1"), HasSubstr("cont2")));
}

TEST(IptablesPlan, RepairsWhatIsMissingAndNothingElse)
{
    FakeTable table;
    publish(table, pod());
    table.chain("OUTPUT").clear();

    EXPECT_EQ(publish(table, pod()),
              "*nat\n-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\nCOMMIT\n");
}

TEST(IptablesPlan, ReplacesTheMarkBitInsteadOfAddingOne)
{
    FakeTable table;
    publish(table, pod());
    Publication other = pod();
    other.policy.mark_masq_bit = 31;

    publish(table, other);

    EXPECT_THAT(table.chain("CNI-HOSTPORT-SETMARK"),
                ElementsAre(HasSubstr("0x80000000/0x80000000")));
    EXPECT_THAT(table.chain("CNI-HOSTPORT-MASQ"), ElementsAre(HasSubstr("0x80000000/0x80000000")));
    EXPECT_THAT(table.chain("POSTROUTING"), SizeIs(1));
}

TEST(IptablesPlan, CleansUpTheRepetitionsOfRacingGoPlugins)
{
    FakeTable table;
    publish(table, pod());
    for (const char *hook : {"PREROUTING", "OUTPUT"})
        table.chain(hook).insert(table.chain(hook).end(), 2, std::string(kJumpToTopDnat));
    table.chain("POSTROUTING").insert(table.chain("POSTROUTING").end(), std::string(kJumpToMasq));
    table.chain("POSTROUTING").push_back("-j FOREIGN");
    table.chain("CNI-HOSTPORT-MASQ").push_back(masq_rule(13));

    publish(table, pod());

    EXPECT_THAT(table.chain("PREROUTING"), SizeIs(1));
    EXPECT_THAT(table.chain("OUTPUT"), SizeIs(1));
    EXPECT_THAT(table.chain("POSTROUTING"), ElementsAre(std::string(kJumpToMasq), "-j FOREIGN"));
    EXPECT_THAT(table.chain("CNI-HOSTPORT-MASQ"), SizeIs(1));
}

TEST(IptablesPlan, KeepsTheContainersPlaceWhenItsPortsChange)
{
    FakeTable table;
    publish(table, pod("cont1", 8080));
    publish(table, pod("cont2", 8080));
    Publication more = pod("cont1", 8080);
    more.mappings.push_back(mapping(53, 53, Protocol::kUdp, "udp"));

    publish(table, more);

    EXPECT_THAT(table.chain("CNI-HOSTPORT-DNAT"),
                ElementsAre(HasSubstr("cont1"), HasSubstr("cont1"), HasSubstr("cont2")));
}

TEST(IptablesPlan, WritesJumpsWithConditionsAgainInTheirPlace)
{
    FakeTable table;
    Publication conditional = pod("cont1");
    conditional.policy.conditions_v4 = {"-i", "eth9"};
    publish(table, conditional);
    publish(table, pod("cont2"));

    publish(table, conditional);

    EXPECT_THAT(table.chain("CNI-HOSTPORT-DNAT"),
                ElementsAre(HasSubstr("-i eth9"), HasSubstr("cont2")));
}

TEST(IptablesPlan, WithoutSnatNeedsNoMarkChains)
{
    FakeTable table;
    Publication publication = pod();
    publication.policy.snat = false;

    publish(table, publication);

    EXPECT_FALSE(table.has("CNI-HOSTPORT-SETMARK"));
    EXPECT_THAT(table.chain("POSTROUTING"), IsEmpty());
}

TEST(IptablesPlan, WithdrawsTheContainerAndLeavesTheOthers)
{
    FakeTable table;
    publish(table, pod("cont1", 8080));
    publish(table, pod("cont2", 8081));

    withdraw(table, pod("cont1"));

    EXPECT_FALSE(table.has(dnat_chain_of({"pmnet", "cont1", ""})));
    EXPECT_TRUE(table.has(dnat_chain_of({"pmnet", "cont2", ""})));
    EXPECT_THAT(table.chain("CNI-HOSTPORT-DNAT"), ElementsAre(HasSubstr("cont2")));
}

TEST(IptablesPlan, HasNothingToWithdrawTwice)
{
    FakeTable table;
    publish(table, pod());
    withdraw(table, pod());
    const std::string saved = table.save();

    const SavedNat after(saved);
    EXPECT_THAT(chains_of(chains_in(after), pod()).value(), IsEmpty());
    EXPECT_EQ(plan_withdraw(after, {}), "");
}

TEST(IptablesPlan, WithdrawsWhatVersionsBefore08Left)
{
    FakeTable table;
    const std::string old = old_snat_chain_of(pod().attachment);
    table.chain(old) = {"-s 127.0.0.1/32 -d 10.66.0.2/32 -p tcp -j MASQUERADE"};
    table.chain("CNI-HOSTPORT-SNAT") = {"-m comment --comment \"snat\" -j " + old, "-j OTHER"};

    withdraw(table, pod());

    EXPECT_FALSE(table.has(old));
    EXPECT_THAT(table.chain("CNI-HOSTPORT-SNAT"), ElementsAre("-j OTHER"));
}

TEST(IptablesPlan, WithdrawsTheChainOfANetworkThatWasRenamed)
{
    FakeTable table;
    Publication before = pod();
    before.attachment.network = "old-name";
    publish(table, before);

    withdraw(table, pod());

    EXPECT_FALSE(table.has(dnat_chain_of(before.attachment)));
}

TEST(IptablesPlan, LeavesAnotherNetworkOfTheSameContainerAlone)
{
    FakeTable table;
    Publication second = pod();
    second.attachment.network = "second-net";
    second.addresses = {Cidr::parse("10.77.0.2/24").value()};
    publish(table, second);

    withdraw(table, pod());

    EXPECT_TRUE(table.has(dnat_chain_of(second.attachment)));
}

TEST(IptablesPlan, CollectsTheChainsOfContainersThatAreNoLongerListed)
{
    FakeTable table;
    publish(table, pod("cont1", 8080));
    publish(table, pod("cont2", 8081));
    Publication elsewhere = pod("cont3", 8082);
    elsewhere.attachment.network = "pmnet2";
    publish(table, elsewhere);
    const std::string text = table.save();
    const SavedNat saved(text);
    const std::vector<Attachment> valid = {{"pmnet", "cont2", "eth0"}};

    EXPECT_THAT(garbage_of(chains_in(saved), "pmnet", valid).value(),
                ElementsAre(Field(&HostportChain::name, dnat_chain_of({"pmnet", "cont1", ""}))));
}

TEST(IptablesPlan, NamesTheOlderHolderOfAHostPort)
{
    FakeTable table;
    publish(table, pod("older", 8080));
    const std::string before = table.save();

    const auto held = held_by_others(SavedNat(before), pod("younger", 8080), Family::kIpv4);
    ASSERT_THAT(held, SizeIs(1));
    EXPECT_EQ(held[0].container_id, "older");
    EXPECT_EQ(held[0].port.target, kAddress.addr);
    EXPECT_THAT(held_by_others(SavedNat(before), pod("younger", 808), Family::kIpv4), IsEmpty());

    publish(table, pod("younger", 8080));
    const std::string after = table.save();
    EXPECT_THAT(held_by_others(SavedNat(after), pod("older", 8080), Family::kIpv4), IsEmpty());
}

TEST(IptablesPlan, SeesNoConflictBetweenTwoHostIps)
{
    FakeTable table;
    Publication first = pod("first", 8080);
    first.mappings[0].host_ip = IpAddr::parse("192.0.2.1");
    publish(table, first);
    const std::string text = table.save();
    Publication second = pod("second", 8080);
    second.mappings[0].host_ip = IpAddr::parse("192.0.2.2");

    EXPECT_THAT(held_by_others(SavedNat(text), second, Family::kIpv4), IsEmpty());
    second.mappings[0].host_ip = IpAddr::parse("0.0.0.0");
    EXPECT_THAT(held_by_others(SavedNat(text), second, Family::kIpv4), SizeIs(1));
}

TEST(IptablesPlan, SaysWhatACheckMisses)
{
    FakeTable table;
    publish(table, pod());
    const auto missing = [&] {
        const std::string text = table.save();
        return missing_from(SavedNat(text), pod(), kAddress).value();
    };
    const std::string chain = "CNI-DN-692d1922717b10c2f0d4f";
    EXPECT_EQ(missing(), "");

    table.chain("PREROUTING").clear();
    EXPECT_EQ(missing(),
              "rule [-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT] in chain PREROUTING "
              "not found in table nat");
    table.chain("CNI-HOSTPORT-DNAT").clear();
    EXPECT_THAT(missing(), HasSubstr("in chain CNI-HOSTPORT-DNAT not found in table nat"));
    table.chain(chain).pop_back();
    EXPECT_EQ(missing(),
              "rule [-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.66.0.2:80] in chain " +
                  chain + " not found in table nat");
    table = FakeTable();
    EXPECT_EQ(missing(), "chain " + chain + " not found in iptables table nat");
}

TEST(IptablesPlan, ReadsWordsInQuotesAsOneWord)
{
    EXPECT_EQ(option_of("-m comment --comment \"a -j B \\\" c\" -j D", "-j"), "D");
    EXPECT_EQ(option_of("-m comment --comment \"-j B", "-j"), "");
    EXPECT_EQ(option_of("-j", "-j"), "");
}

TEST(IptablesPlan, SurvivesTextThatIsNotATable)
{
    for (const char *text : {"", ":", "-A ", "-A \"", "-A X", "\n\n:\n", "-A CNI-HOSTPORT-DNAT -j",
                             "# Table `nat' is incompatible, use 'nft' tool.\n"}) {
        const SavedNat saved(text);
        EXPECT_THAT(chains_of(chains_in(saved), pod()).value(), IsEmpty()) << text;
        EXPECT_THAT(plan_publish(saved, pod(), kAddress).value(), Not(IsEmpty())) << text;
    }
}

}  // namespace
}  // namespace tortie
