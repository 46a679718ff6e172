// SPDX-License-Identifier: Apache-2.0
#include "datapath/iptables_plan.h"

#include <algorithm>

#include "base/strings.h"
#include "datapath/iptables_rules.h"

namespace tortie {
namespace {

// Collects the lines of one table; nothing comes of no lines.
class RestoreInput {
public:
    void empty_chain(std::string_view chain) { line(":" + std::string(chain) + " - [0:0]"); }
    void make_chain(std::string_view chain) { line("-N " + std::string(chain)); }
    void drop_chain(std::string_view chain) { line("-X " + std::string(chain)); }
    void rule(std::string_view command, std::string_view chain, std::string_view text)
    {
        line(std::string(command) + ' ' + std::string(chain) + ' ' + std::string(text));
    }
    void insert(std::string_view chain, std::size_t position, std::string_view text)
    {
        rule("-I", std::string(chain) + ' ' + std::to_string(position), text);
    }

    std::string text() const { return lines_.empty() ? "" : "*nat\n" + lines_ + "COMMIT\n"; }

private:
    void line(const std::string &text) { lines_ += text + '\n'; }

    std::string lines_;
};

bool jumps_to(std::string_view rule, std::string_view chain)
{
    return rule.size() > chain.size() && rule.ends_with(chain) &&
           rule.substr(0, rule.size() - chain.size()).ends_with("-j ");
}

std::vector<std::string_view> jumps_from(const SavedNat &saved, std::string_view from,
                                         std::string_view chain)
{
    std::vector<std::string_view> jumps;
    for (const SavedNat::Rule &rule : saved.rules())
        if (rule.chain == from && jumps_to(rule.text, chain))
            jumps.push_back(rule.text);
    return jumps;
}

bool holds(const std::vector<std::string_view> &rules, std::string_view rule)
{
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

bool same(const std::vector<std::string_view> &rules, const std::vector<std::string> &wanted)
{
    return std::equal(rules.begin(), rules.end(), wanted.begin(), wanted.end());
}

// The shared chain `chain` with `rule` alone in it: another mark bit replaces the old one.
void plan_single(RestoreInput &input, const SavedNat &saved, std::string_view chain,
                 const std::string &rule)
{
    if (saved.has_chain(chain) && same(saved.rules_of(chain), {rule}))
        return;
    input.empty_chain(chain);
    input.rule("-A", chain, rule);
}

// Parallel Go plugins append a shared jump several times. Only neighbours are taken out: then it
// makes no difference to what stands around them.
void drop_repetitions(RestoreInput &input, const SavedNat &saved, std::string_view chain,
                      std::string_view jump)
{
    std::string_view before;
    for (const std::string_view rule : saved.rules_of(chain)) {
        if (rule == jump && before == jump)
            input.rule("-D", chain, jump);
        before = rule;
    }
}

void plan_shared(RestoreInput &input, const SavedNat &saved, const PortPolicy &policy)
{
    if (needs_own_mark(policy)) {
        plan_single(input, saved, kSetMarkChain, set_mark_rule(policy.mark_masq_bit));
        plan_single(input, saved, kMasqChain, masq_rule(policy.mark_masq_bit));
        // First, before the masquerading of the bridge and ptp plugins, which would win.
        if (!holds(saved.rules_of("POSTROUTING"), kJumpToMasq))
            input.insert("POSTROUTING", 1, kJumpToMasq);
        drop_repetitions(input, saved, "POSTROUTING", kJumpToMasq);
    }
    if (!saved.has_chain(kTopDnatChain))
        input.make_chain(kTopDnatChain);
    for (const std::string_view hook : {"PREROUTING", "OUTPUT"}) {
        if (!holds(saved.rules_of(hook), kJumpToTopDnat))
            input.rule("-A", hook, kJumpToTopDnat);
        drop_repetitions(input, saved, hook, kJumpToTopDnat);
    }
}

// The position, counted from 1, of the first jump to `chain` in kTopDnatChain; 0 for none.
std::size_t place_of(const SavedNat &saved, std::string_view chain)
{
    const auto jumps = saved.rules_of(kTopDnatChain);
    const auto first = std::find_if(jumps.begin(), jumps.end(),
                                    [&](std::string_view jump) { return jumps_to(jump, chain); });
    return first == jumps.end() ? 0 : static_cast<std::size_t>(first - jumps.begin()) + 1;
}

void replace_jumps(RestoreInput &input, const SavedNat &saved, const std::string &chain,
                   const std::vector<std::string> &wanted)
{
    std::size_t place = place_of(saved, chain);
    for (const std::string_view old : jumps_from(saved, kTopDnatChain, chain))
        input.rule("-D", kTopDnatChain, old);
    for (const std::string &jump : wanted) {
        if (place == 0)
            input.rule("-A", kTopDnatChain, jump);
        else
            input.insert(kTopDnatChain, place++, jump);
    }
}

bool overlap(const PublishedPort &held, const PortMapping &mapping)
{
    const bool exact = mapping.host_ip && !mapping.host_ip->is_unspecified();
    return held.protocol == mapping.protocol && held.host_port == mapping.host_port &&
           (!exact || !held.host_ip || *held.host_ip == *mapping.host_ip);
}

bool jump_covers(std::string_view jump, const PortMapping &mapping)
{
    const std::string port = std::to_string(mapping.host_port);
    const auto ports = split(option_of(jump, "--dports"), ',');
    return std::find(ports.begin(), ports.end(), port) != ports.end();
}

// As far as the jump's comment tells.
std::string holder_of(std::string_view jump)
{
    const std::string comment = unquoted(option_of(jump, "--comment"));
    return std::string(read_jump_comment(comment).container_id);
}

std::string not_found(std::string_view rule, std::string_view chain)
{
    return "rule [" + std::string(rule) + "] in chain " + std::string(chain) +
           " not found in table nat";
}

}  // namespace

Result<std::string> plan_publish(const SavedNat &saved, const Publication &publication,
                                 const Cidr &cidr)
{
    const Family family = cidr.addr.family();
    TORTIE_TRY(const std::vector<std::string> jumps, container_jumps(publication, family));
    const std::string chain = dnat_chain_of(publication.attachment);
    const std::vector<std::string> rules = container_rules(publication, cidr);

    RestoreInput input;
    plan_shared(input, saved, publication.policy);
    if (!saved.has_chain(chain) || !same(saved.rules_of(chain), rules)) {
        input.empty_chain(chain);
        for (const std::string &rule : rules)
            input.rule("-A", chain, rule);
    }
    if (has_conditions(publication, family) ||
        !same(jumps_from(saved, kTopDnatChain, chain), jumps))
        replace_jumps(input, saved, chain, jumps);
    return input.text();
}

std::string plan_withdraw(const SavedNat &saved, std::span<const HostportChain> chains)
{
    RestoreInput input;
    for (const HostportChain &chain : chains) {
        for (const std::string_view top : {kTopDnatChain, kTopSnatChain})
            for (const std::string_view jump : jumps_from(saved, top, chain.name))
                input.rule("-D", top, jump);
        input.empty_chain(chain.name);
        input.drop_chain(chain.name);
    }
    return input.text();
}

std::vector<PublishedPort> ports_of(const SavedNat &saved, std::string_view chain)
{
    std::vector<PublishedPort> ports;
    for (const std::string_view rule : saved.rules_of(chain))
        if (const auto port = published_by(rule))
            ports.push_back(*port);
    return ports;
}

std::vector<HeldPort> held_by_others(const SavedNat &saved, const Publication &publication,
                                     Family family)
{
    const std::string own = dnat_chain_of(publication.attachment);
    std::vector<HeldPort> held;
    for (const std::string_view jump : saved.rules_of(kTopDnatChain)) {
        const std::string_view chain = option_of(jump, "-j");
        if (chain == own)
            break;  // whoever stands behind us has what we leave
        for (const PortMapping &mapping : publication.mappings) {
            if ((mapping.host_ip && mapping.host_ip->family() != family) ||
                !jump_covers(jump, mapping))
                continue;
            for (const PublishedPort &port : ports_of(saved, chain))
                if (overlap(port, mapping))
                    held.push_back({port, holder_of(jump)});
        }
    }
    return held;
}

Result<std::string> missing_from(const SavedNat &saved, const Publication &publication,
                                 const Cidr &cidr)
{
    const Family family = cidr.addr.family();
    TORTIE_TRY(const std::vector<std::string> jumps, container_jumps(publication, family));
    const std::string chain = dnat_chain_of(publication.attachment);
    if (!saved.has_chain(chain))
        return "chain " + chain + " not found in iptables table nat";

    const auto rules = saved.rules_of(chain);
    for (const std::string &rule : container_rules(publication, cidr))
        if (!holds(rules, rule))
            return not_found(rule, chain);
    const auto top = saved.rules_of(kTopDnatChain);
    for (const std::string &jump : jumps)
        if (!has_conditions(publication, family) && !holds(top, jump))
            return not_found(jump, kTopDnatChain);
    for (const std::string_view hook : {"PREROUTING", "OUTPUT"})
        if (!holds(saved.rules_of(hook), kJumpToTopDnat))
            return not_found(kJumpToTopDnat, hook);
    if (needs_own_mark(publication.policy) && !holds(saved.rules_of("POSTROUTING"), kJumpToMasq))
        return not_found(kJumpToMasq, "POSTROUTING");
    return std::string();
}

Result<std::string> check_input(const Publication &publication, Family family)
{
    TORTIE_TRY(const std::vector<std::string> jumps, container_jumps(publication, family));
    RestoreInput input;
    for (const std::string &jump : jumps)
        input.rule("-C", kTopDnatChain, jump);
    return input.text();
}

bool has_conditions(const Publication &publication, Family family)
{
    return !(family == Family::kIpv4 ? publication.policy.conditions_v4
                                     : publication.policy.conditions_v6)
                .empty();
}

}  // namespace tortie
