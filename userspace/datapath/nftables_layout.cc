// SPDX-License-Identifier: Apache-2.0
#include "datapath/nftables_layout.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

#include "base/strings.h"

namespace tortie {
namespace {

using nft::Base;
using nft::Compare;
using nft::Expressions;
using nft::Meta;
using nft::Type;

constexpr std::string_view kPrerouting = "prerouting";
constexpr std::string_view kOutput = "output";
constexpr std::string_view kPostrouting = "postrouting";
constexpr std::string_view kLocalnet = "localnet";
constexpr std::string_view kHostports = "hostports";
constexpr std::string_view kEntryPrefix = "conditions ";

constexpr std::uint32_t kMasqueradeMark = 0x2000;  // bit 13, as the Go plugin's default
constexpr std::uint32_t kLoIfindex = 1;            // lo, in every network namespace
constexpr std::uint32_t kRtnLocal = 2;             // RTN_LOCAL
constexpr std::uint32_t kIpsDstNat = 1 << 5;       // IPS_DST_NAT

// After -100 (dstnat): the rules of others for the same port win. Before 100 nothing is decided
// by us: after it (srcnat) for the same reason.
constexpr nft::BaseChain kPreroutingHook{nft::ChainType::kNat, nft::Hook::kPrerouting, -99};
constexpr nft::BaseChain kOutputHook{nft::ChainType::kNat, nft::Hook::kOutput, -99};
constexpr nft::BaseChain kPostroutingHook{nft::ChainType::kNat, nft::Hook::kPostrouting, 101};
// Before conntrack sees the packet.
constexpr nft::BaseChain kLocalnetHook{nft::ChainType::kFilter, nft::Hook::kPrerouting, -300};

struct RuleText {
    std::string chain;
    std::string comment;
    std::function<void(Expressions &)> write;
};

std::array<std::uint8_t, 4> host_order(std::uint32_t number)
{
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &number, sizeof(number));
    return bytes;
}

constexpr std::array<std::uint8_t, 4> kZero{};

unsigned address_registers(Family family)
{
    return family == Family::kIpv4 ? 1 : 4;
}

std::uint32_t address_bytes(Family family)
{
    return width_bits(family) / 8;
}

void load_source(Expressions &rule, Family family, unsigned reg)
{
    constexpr std::uint32_t kV4Off = 12;
    constexpr std::uint32_t kV6Off = 8;
    rule.load_payload(Base::kNetworkHeader, family == Family::kIpv4 ? kV4Off : kV6Off,
                      address_bytes(family), reg);
}

void load_destination(Expressions &rule, Family family, unsigned reg)
{
    constexpr std::uint32_t kV4Off = 16;
    constexpr std::uint32_t kV6Off = 24;
    rule.load_payload(Base::kNetworkHeader, family == Family::kIpv4 ? kV4Off : kV6Off,
                      address_bytes(family), reg);
}

// `ip daddr 127.0.0.0/8`
void require_loopback_destination(Expressions &rule)
{
    constexpr std::uint32_t kDaddrOff = 16;
    constexpr std::array<std::uint8_t, 1> kNet127{127};
    rule.require_family(Family::kIpv4);
    rule.load_payload(Base::kNetworkHeader, kDaddrOff, 1, 0);
    rule.compare(0, Compare::kEqual, kNet127);
}

// `fib daddr type local jump hostports`
void jump_when_local(Expressions &rule)
{
    rule.load_fib_type_of_daddr(0);
    rule.compare(0, Compare::kEqual, host_order(kRtnLocal));
    rule.jump(kHostports);
}

// `ct status dnat meta mark & 0x2000 == 0x2000 masquerade`
void masquerade_marked(Expressions &rule)
{
    rule.load_ct_status(0);
    rule.bitwise(0, host_order(kIpsDstNat), kZero);
    rule.compare(0, Compare::kNotEqual, kZero);
    rule.load_meta(Meta::kMark, 0);
    rule.bitwise(0, host_order(kMasqueradeMark), kZero);
    rule.compare(0, Compare::kEqual, host_order(kMasqueradeMark));
    rule.masquerade();
}

// `iif != "lo" ip daddr 127.0.0.0/8 drop`
void drop_foreign_loopback(Expressions &rule)
{
    rule.load_meta(Meta::kIif, 0);
    rule.compare(0, Compare::kNotEqual, host_order(kLoIfindex));
    require_loopback_destination(rule);
    rule.drop();
}

std::vector<RuleText> base_rules()
{
    const auto family_jump = [](Family family, std::string_view chain) {
        return [=](Expressions &rule) {
            rule.require_family(family);
            rule.jump(chain);
        };
    };
    return {
        {std::string(kPrerouting), "never 127.0.0.0/8 from outside",
         [](Expressions &rule) {
             require_loopback_destination(rule);
             rule.return_from_chain();
         }},
        {std::string(kPrerouting), "published ports", jump_when_local},
        {std::string(kOutput), "published ports", jump_when_local},
        {std::string(kPostrouting), "masquerade what was marked", masquerade_marked},
        {std::string(kHostports), "IPv4", family_jump(Family::kIpv4, "hostports4")},
        {std::string(kHostports), "IPv6", family_jump(Family::kIpv6, "hostports6")},
    };
}

std::vector<RuleText> guard_rules()
{
    return {{std::string(kLocalnet), "only lo brings 127.0.0.0/8", drop_foreign_loopback}};
}

std::string sources_chain(const PortSpace &space, bool one_address)
{
    return (one_address ? "from_addrs" : "from_ports") + space.suffix;
}

std::string sources_comment(unsigned prefix)
{
    return "sources /" + std::to_string(prefix);
}

std::vector<RuleText> space_rules(const PortSpace &space)
{
    const Family family = space.family;
    const unsigned address = address_registers(family);
    const auto jump = [](std::string chain) {
        return [chain = std::move(chain)](Expressions &rule) { rule.jump(chain); };
    };
    const auto by_address = [=, map = space.addrs()](Expressions &rule) {
        rule.require_family(family);
        load_destination(rule, family, 0);
        rule.load_protocol_and_dport(address);
        rule.lookup(map, 0, 0);
        rule.dnat(family, 0, address);
    };
    const auto by_port = [=, map = space.ports()](Expressions &rule) {
        rule.load_protocol_and_dport(0);
        rule.lookup(map, 0, 0);
        rule.dnat(family, 0, address);
    };
    return {{space.chain(), "mark, one address", jump(sources_chain(space, true))},
            {space.chain(), "one address", by_address},
            {space.chain(), "mark, every address", jump(sources_chain(space, false))},
            {space.chain(), "every address", by_port}};
}

Type address_type(Family family)
{
    return family == Family::kIpv4 ? Type::kIpv4Addr : Type::kIpv6Addr;
}

bool is_entry(const nft::Rule &rule)
{
    return rule.chain == kHostports && rule.comment.starts_with(kEntryPrefix);
}

// Whether the chains of `wanted` hold exactly these rules in this order (entry rules aside).
bool holds(const std::vector<nft::Rule> &rules, const std::vector<RuleText> &wanted)
{
    auto next = wanted.begin();
    for (const nft::Rule &rule : rules) {
        const bool ours = std::any_of(wanted.begin(), wanted.end(), [&](const RuleText &text) {
            return text.chain == rule.chain;
        });
        if (!ours || is_entry(rule))
            continue;
        // Chains come in the kernel's order, which need not be ours.
        if (next == wanted.end() || next->chain != rule.chain)
            next = std::find_if(wanted.begin(), wanted.end(),
                                [&](const RuleText &text) { return text.chain == rule.chain; });
        if (next->comment != rule.comment)
            return false;
        ++next;
    }
    return std::all_of(wanted.begin(), wanted.end(), [&](const RuleText &text) {
        const auto same = [&](const nft::Rule &rule) {
            return rule.chain == text.chain && rule.comment == text.comment;
        };
        return std::count_if(rules.begin(), rules.end(), same) == 1;
    });
}

// Takes out what stands in the chains of `wanted`, entry rules aside, and writes it anew.
void rewrite(nft::Batch &batch, const std::vector<nft::Rule> &rules,
             const std::vector<RuleText> &wanted)
{
    for (const nft::Rule &rule : rules) {
        const bool ours = std::any_of(wanted.begin(), wanted.end(), [&](const RuleText &text) {
            return text.chain == rule.chain;
        });
        if (ours && !is_entry(rule))
            batch.delete_rule(rule.chain, rule.handle);
    }
    for (const RuleText &text : wanted)
        batch.add_rule(text.chain, text.comment, text.write);
}

// Two calls at once may each have made the entry rule of a space.
std::vector<const nft::Rule *> surplus_entries(const std::vector<nft::Rule> &rules)
{
    std::set<std::string_view> seen;
    std::vector<const nft::Rule *> surplus;
    for (const nft::Rule &rule : rules) {
        if (is_entry(rule) && !seen.insert(rule.comment).second)
            surplus.push_back(&rule);
    }
    return surplus;
}

}  // namespace

nft::Table tortie_table()
{
    return {.family = nft::TableFamily::kInet, .name = "tortie"};
}

Result<LayoutState> LayoutState::read(nft::NfTables &tables)
{
    TORTIE_TRY(auto rules, tables.rules(tortie_table()));
    return LayoutState(std::move(rules));
}

bool LayoutState::has_base() const
{
    return holds(rules_, base_rules()) && surplus_entries(rules_).empty();
}

bool LayoutState::has_space(const PortSpace &space) const
{
    return holds(rules_, space_rules(space));
}

bool LayoutState::has_guard() const
{
    return holds(rules_, guard_rules());
}

bool LayoutState::has_entry(const PortSpace &space) const
{
    return !space.has_conditions() ||
           std::any_of(rules_.begin(), rules_.end(), [&](const nft::Rule &rule) {
               return rule.chain == kHostports && rule.comment == space.entry_comment() &&
                      rule.jump == space.chain();
           });
}

bool LayoutState::has_sources(const PortSpace &space, const SourceElement &source) const
{
    return std::any_of(rules_.begin(), rules_.end(), [&](const nft::Rule &rule) {
        return rule.chain == sources_chain(space, source.one_address) &&
               rule.comment == sources_comment(source.prefix);
    });
}

void LayoutState::add_base(nft::Batch &batch) const
{
    batch.add_table();
    batch.add_base_chain(kPrerouting, kPreroutingHook);
    batch.add_base_chain(kOutput, kOutputHook);
    batch.add_base_chain(kPostrouting, kPostroutingHook);
    batch.add_chain(kHostports);
    batch.add_chain("hostports4");
    batch.add_chain("hostports6");
    batch.add_set({.name = std::string(kPublishedMap),
                   .key = {Type::kMark, Type::kMark, Type::kMark},
                   .data = {Type::kMark}});
    rewrite(batch, rules_, base_rules());
    for (const nft::Rule *rule : surplus_entries(rules_))
        batch.delete_rule(rule->chain, rule->handle);
}

void LayoutState::add_guard(nft::Batch &batch) const
{
    batch.add_table();
    batch.add_base_chain(kLocalnet, kLocalnetHook);
    rewrite(batch, rules_, guard_rules());
}

void LayoutState::add_space(nft::Batch &batch, const PortSpace &space) const
{
    const Type address = address_type(space.family);
    const std::vector<Type> target{address, Type::kInetService};
    batch.add_set(
        {.name = space.ports(), .key = {Type::kInetProto, Type::kInetService}, .data = target});
    batch.add_set({.name = space.addrs(),
                   .key = {address, Type::kInetProto, Type::kInetService},
                   .data = target});
    batch.add_set({.name = space.waiting(),
                   .key = {address, Type::kInetProto, Type::kInetService, Type::kMark},
                   .data = target});
    batch.add_chain(space.chain());
    batch.add_chain(sources_chain(space, true));
    batch.add_chain(sources_chain(space, false));
    rewrite(batch, rules_, space_rules(space));
}

void LayoutState::add_sources(nft::Batch &batch, const PortSpace &space,
                              const SourceElement &source)
{
    const Family family = space.family;
    const Type address = address_type(family);
    nft::Set set{.name = source.set, .key = {address}, .data = {}};
    if (source.one_address)
        set.key.push_back(address);
    set.key.insert(set.key.end(), {Type::kInetProto, Type::kInetService});
    batch.add_set(set);
    batch.add_rule(sources_chain(space, source.one_address), sources_comment(source.prefix),
                   [&](Expressions &rule) {
                       unsigned reg = address_registers(family);
                       rule.require_family(family);
                       load_source(rule, family, 0);
                       if (source.prefix < width_bits(family)) {
                           std::vector<std::uint8_t> ones(address_bytes(family), 0xff);
                           const IpAddr mask = IpAddr::from_bytes(ones).first_in(source.prefix);
                           const std::vector<std::uint8_t> flip(address_bytes(family), 0);
                           rule.bitwise(0, mask.bytes_be(), flip);
                       }
                       if (source.one_address) {
                           load_destination(rule, family, reg);
                           reg += address_registers(family);
                       }
                       rule.load_protocol_and_dport(reg);
                       rule.lookup(source.set, 0);
                       rule.load_meta(Meta::kMark, 0);
                       rule.bitwise(0, host_order(~kMasqueradeMark), host_order(kMasqueradeMark));
                       rule.set_mark(0);
                   });
}

Result<std::string> entry_script(const PortSpace &space)
{
    const std::string &words = space.conditions;
    const bool harmless = std::all_of(words.begin(), words.end(), [](char c) {
        return c >= ' ' && c < 0x7f && c != ';' && c != '#' && c != '\\' && c != '$';
    });
    if (!harmless || std::count(words.begin(), words.end(), '"') % 2 != 0)
        return fail(ErrorKind::kInvalidInput,
                    "conditions contain a character that nft would take "
                    "for the end of the rule");
    std::string script = "add table inet tortie\n";
    for (const std::string &chain : {std::string(kHostports), space.chain()})
        script.append("add chain inet tortie ").append(chain).append("\n");
    script.append("insert rule inet tortie ").append(kHostports).append(" meta nfproto ");
    script += space.family == Family::kIpv4 ? "ipv4 " : "ipv6 ";
    script.append(words).append(" jump ").append(space.chain());
    script.append(" comment \"").append(space.entry_comment()).append("\"\n");
    return script;
}

}  // namespace tortie
