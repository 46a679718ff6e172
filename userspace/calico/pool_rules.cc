// SPDX-License-Identifier: Apache-2.0
#include "calico/pool_rules.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/ip_addr.h"
#include "ipam/block_space.h"
#include "ipam/selector.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMaxSelector = 1024;

Result<> refuse(const std::string &what)
{
    return fail(ErrorKind::kInvalidInput, what);
}

template <class List>
bool is_one_of(const std::string &text, const List &list)
{
    return std::find(list.begin(), list.end(), text) != list.end();
}

Result<Cidr> cidr_of(const std::string &text)
{
    const auto cidr = Cidr::parse(text);
    if (!cidr)
        return fail(ErrorKind::kInvalidInput, "spec.cidr: \"" + text + "\" is not a CIDR");
    if (cidr->network() != cidr->addr)
        return fail(ErrorKind::kInvalidInput, "spec.cidr: host bits are set, did you mean " +
                                                  Cidr{cidr->network(), cidr->prefix}.to_string() +
                                                  '?');
    return *cidr;
}

Result<> check_blocks(const Cidr &cidr, const PoolText &pool)
{
    const bool v4 = cidr.addr.family() == Family::kIpv4;
    const std::int64_t least = v4 ? 20 : 116;
    const std::int64_t most = v4 ? 32 : 128;
    if (pool.block_size < least || pool.block_size > most)
        return refuse("spec.blockSize: must be from " + std::to_string(least) + " to " +
                      std::to_string(most));
    if (!pool.disabled && pool.block_size < static_cast<std::int64_t>(cidr.prefix))
        return refuse("spec.blockSize: the pool is smaller than one of its blocks");
    return {};
}

Result<> check_link_local(const Cidr &cidr)
{
    static const std::array<Cidr, 2> link_local = {*Cidr::parse("169.254.0.0/16"),
                                                   *Cidr::parse("fe80::/10")};
    for (const Cidr &range : link_local) {
        if (range.contains(cidr.addr) || cidr.contains(range.addr))
            return refuse("spec.cidr: overlaps with the link-local range " + range.to_string());
    }
    return {};
}

Result<> check_modes(const Cidr &cidr, const PoolText &pool)
{
    constexpr std::array<std::string_view, 3> kModes = {"Never", "Always", "CrossSubnet"};
    if (!is_one_of(pool.ipip_mode, kModes))
        return refuse("spec.ipipMode: must be Never, Always or CrossSubnet");
    if (!is_one_of(pool.vxlan_mode, kModes))
        return refuse("spec.vxlanMode: must be Never, Always or CrossSubnet");
    if (pool.ipip_mode != "Never" && pool.vxlan_mode != "Never")
        return refuse("spec.ipipMode: cannot be used together with spec.vxlanMode");
    if (pool.ipip_mode != "Never" && cidr.addr.family() == Family::kIpv6)
        return refuse("spec.ipipMode: is not for an IPv6 pool");
    if (pool.assignment_mode != "Automatic" && pool.assignment_mode != "Manual")
        return refuse("spec.assignmentMode: must be Automatic or Manual");
    return {};
}

Result<> check_uses(const PoolText &pool)
{
    constexpr std::array<std::string_view, 3> kUses = {"Workload", "Tunnel", "LoadBalancer"};
    for (const std::string &use : pool.allowed_uses) {
        if (!is_one_of(use, kUses))
            return refuse("spec.allowedUses: must be of Workload, Tunnel, LoadBalancer");
    }
    const bool balances = is_one_of("LoadBalancer", pool.allowed_uses);
    if (balances && pool.allowed_uses.size() > 1)
        return refuse("spec.allowedUses: LoadBalancer cannot be combined with others");
    if (balances && (pool.ipip_mode != "Never" || pool.vxlan_mode != "Never"))
        return refuse("spec.allowedUses: a LoadBalancer pool has no encapsulation");
    if (is_one_of("Tunnel", pool.allowed_uses) && !pool.namespace_selector.empty() &&
        !is_one_of("Workload", pool.allowed_uses))
        return refuse("spec.namespaceSelector: is not for a pool of tunnels");
    return {};
}

Result<> check_selector(const char *member, const std::string &text)
{
    if (text.size() > kMaxSelector)
        return refuse(std::string(member) + ": is longer than 1024 characters");
    if (text.find("global(") != std::string::npos)
        return refuse(std::string(member) + ": global() is not for pools");
    if (const auto selector = ipam::Selector::parse(text); !selector)
        return refuse(std::string(member) + ": " + selector.error().what());
    return {};
}

}  // namespace

Result<PoolDefaults> defaults_for(const std::string &cidr)
{
    TORTIE_TRY(const Cidr parsed, cidr_of(cidr));
    return PoolDefaults{.block_size = ipam::default_block_prefix(parsed.addr.family())};
}

Result<> check_pool(const PoolText &pool)
{
    TORTIE_TRY(const Cidr cidr, cidr_of(pool.cidr));
    TORTIE_DO(check_link_local(cidr));
    TORTIE_DO(check_blocks(cidr, pool));
    TORTIE_DO(check_modes(cidr, pool));
    TORTIE_DO(check_uses(pool));
    TORTIE_DO(check_selector("spec.nodeSelector", pool.node_selector));
    return check_selector("spec.namespaceSelector", pool.namespace_selector);
}

Result<> check_reservation(std::span<const std::string> cidrs)
{
    for (const std::string &text : cidrs) {
        if (!Cidr::parse(text) && !IpAddr::parse(text))
            return refuse("spec.reservedCIDRs: \"" + text + "\" is neither a CIDR nor an address");
    }
    return {};
}

bool is_resource_name(std::string_view name)
{
    const auto edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !name.empty() && name.size() <= 253 && edge(name.front()) && edge(name.back()) &&
           name.find("..") == std::string_view::npos &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) { return edge(c) || c == '-' || c == '.'; });
}

}  // namespace tortie::calico
