// SPDX-License-Identifier: Apache-2.0
//
// Rules in the shapes of iptables releases; that they are the shapes that the release at hand
// makes is what the netns tests of portmap see.
#include "sys/nft_compat.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include <string>
#include <vector>

#include "sys/nf_tables_rule.h"

namespace tortie::nft {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The expressions of a rule, as the kernel sends them.
class Words {
public:
    Words() = default;
    Words(const Words &) = delete;
    Words &operator=(const Words &) = delete;
    Words(Words &&) = delete;
    Words &operator=(Words &&) = delete;
    ~Words() = default;

    Words &protocol(std::uint8_t number)
    {
        list_.load_meta(Meta::kL4proto, 0);
        list_.compare(0, Compare::kEqual, Bytes{number});
        return *this;
    }
    Words &field(Base base, std::uint32_t offset, const Bytes &value, Compare how = Compare::kEqual)
    {
        list_.load_payload(base, offset, static_cast<std::uint32_t>(value.size()), 0);
        list_.compare(0, how, value);
        return *this;
    }
    Words &dport(std::uint8_t high, std::uint8_t low)
    {
        return field(Base::kTransportHeader, 2, {high, low});
    }
    Words &match(const std::string &name, const Bytes &info)
    {
        return extension("match", name, 0, info);
    }
    Words &dnat(std::uint32_t revision, const Bytes &info)
    {
        return extension("target", "DNAT", revision, info);
    }
    Words &jump()
    {
        list_.jump("ELSEWHERE");
        return *this;
    }

    std::optional<PortTranslation> read(Family family = Family::kIpv4)
    {
        return read_port_translation(attrs(), family);
    }
    std::string comment() { return read_match_comment(attrs()); }

private:
    Words &extension(std::string_view kind, const std::string &name, std::uint32_t revision,
                     const Bytes &info)
    {
        message_.nest(NFTA_LIST_ELEM, [&] {
            message_.put_string(NFTA_EXPR_NAME, kind);
            message_.nest(NFTA_EXPR_DATA, [&] {
                message_.put_string(NFTA_TARGET_NAME, name);
                message_.put_u32_be(NFTA_TARGET_REV, revision);
                message_.put(NFTA_TARGET_INFO, info);
            });
        });
        return *this;
    }
    NetlinkAttrs attrs() { return NetlinkAttrs(message_.bytes(0).subspan(sizeof(nlmsghdr))); }

    NetlinkMessage message_{0, 0};
    Expressions list_{message_};
};

Bytes operator+(Bytes left, const Bytes &right)
{
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

const Bytes kFlags = {3, 0, 0, 0};  // addresses and ports are given
const Bytes kPort80 = {0, 80};
const Bytes kTarget = {10, 66, 0, 2};
const Bytes kTargetV6 = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
const Bytes kRest(12);  // of an IPv4 address in the room of either family

Bytes range(const Bytes &from, const Bytes &to)
{
    return kFlags + from + to + kPort80 + kPort80;
}

const Bytes kDnat = range(kTarget + kRest, kTarget + kRest) + Bytes(4);
const Bytes kDnatV6 = range(kTargetV6, kTargetV6);
const Bytes kOldDnat = Bytes{1, 0, 0, 0} + kFlags + kTarget + kTarget + kPort80 + kPort80;

void expect_8080_to_80(const std::optional<PortTranslation> &rule, std::uint8_t protocol,
                       const char *target = "10.66.0.2")
{
    ASSERT_TRUE(rule);
    EXPECT_EQ(rule->ip_protocol, protocol);
    EXPECT_EQ(rule->port, 8080);
    EXPECT_EQ(rule->target.to_string(), target);
    EXPECT_EQ(rule->target_port, 80);
}

TEST(NftCompat, ReadsConditionsInNfTablesOwnWords)
{
    expect_8080_to_80(Words().protocol(6).dport(0x1f, 0x90).dnat(2, kDnat).read(), 6);
    expect_8080_to_80(Words().protocol(17).dport(0x1f, 0x90).dnat(1, kDnatV6).read(Family::kIpv6),
                      17, "fd00::2");
}

TEST(NftCompat, ReadsConditionsInStructuresOfXtables)
{
    const Bytes any_sport = {0, 0, 0xff, 0xff};
    const Bytes one_dport = {0x90, 0x1f, 0x90, 0x1f};
    expect_8080_to_80(
        Words().protocol(6).match("tcp", any_sport + one_dport + Bytes(4)).dnat(0, kOldDnat).read(),
        6);
    expect_8080_to_80(Words()
                          .field(Base::kNetworkHeader, 9, {17})
                          .match("udp", any_sport + one_dport + Bytes(2))
                          .dnat(0, kOldDnat)
                          .read(),
                      17);
    expect_8080_to_80(Words()
                          .protocol(132)
                          .match("sctp", one_dport + any_sport + Bytes(300))
                          .dnat(2, kDnat)
                          .read(),
                      132);
}

TEST(NftCompat, ReadsTheAddressThatIsAskedFor)
{
    const auto v4 = Words()
                        .protocol(6)
                        .field(Base::kNetworkHeader, 16, {192, 0, 2, 1})
                        .dport(0x1f, 0x90)
                        .dnat(2, kDnat)
                        .read();
    const auto v6 = Words()
                        .protocol(6)
                        .field(Base::kNetworkHeader, 24, kTargetV6)
                        .dport(0x1f, 0x90)
                        .dnat(2, range(kTargetV6, kTargetV6))
                        .read(Family::kIpv6);

    ASSERT_TRUE(v4 && v4->destination);
    EXPECT_EQ(v4->destination->to_string(), "192.0.2.1");
    ASSERT_TRUE(v6 && v6->destination);
    EXPECT_EQ(v6->destination->to_string(), "fd00::2");
}

TEST(NftCompat, DoesNotGuessAtOtherRules)
{
    EXPECT_FALSE(Words().read());
    EXPECT_FALSE(Words().protocol(6).dport(0x1f, 0x90).jump().read());
    EXPECT_FALSE(Words().protocol(6).dport(0x1f, 0x90).read());
    EXPECT_FALSE(Words().protocol(6).dnat(2, kDnat).read());
    EXPECT_FALSE(Words().dport(0x1f, 0x90).dnat(2, kDnat).read());
    EXPECT_FALSE(Words().protocol(6).dport(0x1f, 0x90).dnat(2, {}).read());
    EXPECT_FALSE(Words()
                     .protocol(6)
                     .field(Base::kTransportHeader, 2, {0x1f, 0x90}, Compare::kNotEqual)
                     .dnat(2, kDnat)
                     .read());
    EXPECT_FALSE(Words()
                     .protocol(6)
                     .field(Base::kNetworkHeader, 12, {10, 0, 0, 1})
                     .dport(0x1f, 0x90)
                     .dnat(2, kDnat)
                     .read());
    EXPECT_FALSE(Words()
                     .protocol(6)
                     .match("tcp", {0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0})
                     .dnat(2, kDnat)
                     .read());
    EXPECT_FALSE(
        Words().protocol(6).match("limit", Bytes(40)).dport(0x1f, 0x90).dnat(2, kDnat).read());
    EXPECT_FALSE(Words()
                     .protocol(6)
                     .dport(0x1f, 0x90)
                     .dnat(2, range(kTarget + kRest, Bytes{10, 66, 0, 9} + kRest) + Bytes(4))
                     .read());
}

TEST(NftCompat, ReadsACommentThatIsAMatch)
{
    EXPECT_EQ(Words().protocol(6).match("comment", {'h', 'i', 0, 'x'}).comment(), "hi");
    EXPECT_EQ(Words().protocol(6).comment(), "");
    EXPECT_TRUE(Words()
                    .protocol(6)
                    .match("comment", {'h', 'i', 0})
                    .dport(0x1f, 0x90)
                    .dnat(2, kDnat)
                    .read());
}

}  // namespace
}  // namespace tortie::nft
