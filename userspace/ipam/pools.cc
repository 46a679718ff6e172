// SPDX-License-Identifier: Apache-2.0
#include "ipam/pools.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "ipam/block_space.h"
#include "ipam/selector.h"

namespace tortie::ipam {
namespace {

constexpr std::string_view kWorkload = "Workload";

bool allows_workloads(const store::Pool &pool)
{
    const auto &uses = pool.allowed_uses;
    return uses.empty() || std::find(uses.begin(), uses.end(), kWorkload) != uses.end();
}

const UsablePool *find_pool(std::span<const UsablePool> pools, const Cidr &cidr)
{
    const auto found = std::find_if(pools.begin(), pools.end(),
                                    [&](const UsablePool &pool) { return pool.cidr == cidr; });
    return found == pools.end() ? nullptr : &*found;
}

Result<bool> selects(std::string_view selector, const kube::StringMap *labels)
{
    if (selects_all(selector))
        return true;
    TORTIE_TRY(const Selector compiled, Selector::parse(selector));
    return compiled.matches(labels != nullptr ? *labels : kube::StringMap());
}

std::optional<Cidr> requested_cidr(const std::string &entry, std::span<const store::Pool> pools)
{
    if (const auto cidr = Cidr::parse(entry))
        return cidr;
    const auto named = std::find_if(pools.begin(), pools.end(),
                                    [&](const store::Pool &pool) { return pool.name == entry; });
    return named == pools.end() ? std::nullopt : Cidr::parse(named->cidr);
}

Result<std::vector<UsablePool>> listed(std::span<const UsablePool> pools,
                                       const PoolQuestion &question)
{
    std::vector<UsablePool> eligible;
    for (const Cidr &cidr : question.requested) {
        if (cidr.addr.family() != question.family) {
            const bool v4 = question.family == Family::kIpv4;
            return fail(ErrorKind::kInvalidInput, std::string("provided ") +
                                                      (v4 ? "IPv4" : "IPv6") +
                                                      " IPPools list contains one or more " +
                                                      (v4 ? "IPv6" : "IPv4") + " IPPools");
        }
        const UsablePool *pool = find_pool(pools, cidr);
        if (pool == nullptr)
            return fail(ErrorKind::kNotFound, "the given pool (" + cidr.to_string() +
                                                  ") does not exist, or is not enabled");
        if (find_pool(eligible, cidr) == nullptr)
            eligible.push_back(*pool);
    }
    return eligible;
}

Result<std::vector<UsablePool>> selected(std::span<const UsablePool> pools,
                                         const PoolQuestion &question)
{
    std::vector<UsablePool> eligible;
    for (const UsablePool &pool : pools) {
        if (pool.family() != question.family || pool.document->manual)
            continue;
        TORTIE_TRY(const bool node, selects(pool.document->node_selector, question.node_labels));
        TORTIE_TRY(const bool space,
                   selects(pool.document->namespace_selector, question.namespace_labels));
        if (node && space)
            eligible.push_back(pool);
    }
    return eligible;
}

}  // namespace

std::vector<UsablePool> usable_pools(std::span<const store::Pool> pools)
{
    std::vector<UsablePool> usable;
    for (const store::Pool &pool : pools) {
        if (pool.disabled || pool.deleting || !pool.allocatable)
            continue;
        const auto cidr = Cidr::parse(pool.cidr);
        if (!cidr) {
            log::warn("IP pool has no usable CIDR", {{"pool", pool.name}, {"cidr", pool.cidr}});
            continue;
        }
        const Family family = cidr->addr.family();
        const std::int64_t size =
            pool.block_size != 0 ? pool.block_size : std::int64_t{default_block_prefix(family)};
        const bool possible = size >= 0 && size <= 128 &&
                              is_block_prefix(family, static_cast<unsigned>(size)) &&
                              static_cast<unsigned>(size) >= cidr->prefix;
        if (!possible) {
            log::warn("IP pool has an impossible block size",
                      {{"pool", pool.name},
                       {"cidr", pool.cidr},
                       {"blockSize", std::to_string(pool.block_size)}});
            continue;
        }
        usable.push_back(
            {pool.name, {cidr->network(), cidr->prefix}, static_cast<unsigned>(size), &pool});
    }
    return usable;
}

const UsablePool *pool_of(std::span<const UsablePool> pools, const IpAddr &ip)
{
    const auto found = std::find_if(pools.begin(), pools.end(),
                                    [&](const UsablePool &pool) { return pool.cidr.contains(ip); });
    return found == pools.end() ? nullptr : &*found;
}

Result<bool> selects_node(const UsablePool &pool, const kube::StringMap &node_labels)
{
    return selects(pool.document->node_selector, &node_labels);
}

Result<std::vector<Cidr>> requested_pools(std::span<const std::string> entries, Family family,
                                          std::span<const store::Pool> pools)
{
    std::vector<Cidr> requested;
    for (const std::string &entry : entries) {
        const auto cidr = requested_cidr(entry, pools);
        if (!cidr)
            return fail(ErrorKind::kInvalidInput, "error parsing pool " + go_quoted(entry) +
                                                      ": invalid CIDR address: " + entry);
        if (cidr->addr.family() != family)
            return fail(ErrorKind::kInvalidInput,
                        go_quoted(cidr->network().to_string()) + " isn't a " +
                            (family == Family::kIpv4 ? "IPv4" : "IPv6") + " address");
        requested.push_back({cidr->network(), cidr->prefix});
    }
    return requested;
}

bool needs_node_labels(std::span<const UsablePool> pools, const PoolQuestion &question)
{
    if (!question.requested.empty())
        return false;
    return std::any_of(pools.begin(), pools.end(), [&](const UsablePool &pool) {
        return pool.family() == question.family && !pool.document->manual &&
               !selects_all(pool.document->node_selector);
    });
}

Result<std::vector<UsablePool>> eligible_pools(std::span<const UsablePool> pools,
                                               const PoolQuestion &question)
{
    const bool any = std::any_of(pools.begin(), pools.end(), [&](const UsablePool &pool) {
        return pool.family() == question.family;
    });
    if (!any)
        return fail(ErrorKind::kNotFound, "cannot find a qualified ippool");

    TORTIE_TRY(std::vector<UsablePool> eligible,
               question.requested.empty() ? selected(pools, question) : listed(pools, question));
    if (eligible.empty())
        return fail(ErrorKind::kNotFound,
                    "no configured Calico pools for node " +
                        (question.host != nullptr ? *question.host : std::string()));
    std::erase_if(eligible,
                  [](const UsablePool &pool) { return !allows_workloads(*pool.document); });
    if (eligible.empty())
        return fail(ErrorKind::kNotFound,
                    "cannot find a qualified ippool, no pools match the required use (Workload)");
    return eligible;
}

}  // namespace tortie::ipam
