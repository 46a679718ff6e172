// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_report.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "ipam/block_space.h"
#include "store/names.h"

namespace tortie::calico {
namespace {

std::string state_of(const store::Pool &pool, bool valid)
{
    if (!valid)
        return "invalid";
    if (pool.deleting)
        return "deleting";
    if (pool.disabled)
        return "disabled";
    return pool.allocatable ? "enabled" : "not allocatable";
}

// A /48 of IPv6 has more than a number can tell.
std::string size_of(const Cidr &cidr)
{
    const unsigned bits = width_bits(cidr.addr.family()) - cidr.prefix;
    if (bits >= 40)
        return "2^" + std::to_string(bits);
    return std::to_string(std::uint64_t{1} << bits);
}

std::string value_at(const std::optional<store::StringMap> &map, const char *key)
{
    if (!map)
        return {};
    const auto found = map->find(key);
    return found == map->end() ? std::string() : found->second;
}

std::string owner_of(const store::Attribute &record, const std::string &handle)
{
    if (!record.released_at.empty())
        return "cooling";
    if (const std::string pod = value_at(record.secondary, "pod"); !pod.empty())
        return value_at(record.secondary, "namespace") + '/' + pod;
    if (const std::string type = value_at(record.secondary, "type"); !type.empty())
        return "tunnel " + type;
    if (std::string note = value_at(record.secondary, "note"); !note.empty())
        return note;
    if (const std::string service = value_at(record.secondary, "service"); !service.empty())
        return "service " + service;
    const std::size_t dot = handle.find('.');
    return dot == std::string::npos ? "unknown" : "container " + handle.substr(dot + 1);
}

std::string since_of(const store::Attribute &record)
{
    if (!record.released_at.empty())
        return record.released_at;
    const std::string time = value_at(record.secondary, "timestamp");
    return time.substr(0, std::min(time.find('.'), time.find(" +")));
}

struct Held {
    IpAddr ip;
    AddressUse use;
    bool cooling = false;
};

std::vector<Held> addresses_in(const store::Block &block)
{
    std::vector<Held> held;
    for (std::size_t ordinal = 0; ordinal < block.allocations.size(); ++ordinal) {
        const auto index = block.allocations[ordinal];
        if (!index)
            continue;
        static const store::Attribute nobody;
        const store::Attribute &record =
            *index < block.attributes.size() ? block.attributes[*index] : nobody;
        const std::string handle(store::handle_id_of(record.handle_id.value_or("")));
        const IpAddr ip = ipam::address_at(block.cidr, static_cast<std::uint32_t>(ordinal));
        held.push_back({.ip = ip,
                        .use = {.ip = ip.to_string(),
                                .node = value_at(record.secondary, "node"),
                                .owner = owner_of(record, handle),
                                .handle = handle,
                                .since = since_of(record)},
                        .cooling = !record.released_at.empty()});
    }
    return held;
}

void count(IpamReport &report, const std::vector<store::Held<store::Pool>> &pools,
           const store::Block &block, const std::vector<Held> &held)
{
    for (std::size_t i = 0; i < pools.size(); ++i) {
        const auto cidr = Cidr::parse(pools[i].document.cidr);
        if (!cidr || !cidr->contains(block.cidr.addr))
            continue;
        PoolUsage &usage = report.pools[i];
        ++usage.blocks;
        for (const Held &each : held)
            ++(each.cooling ? usage.cooling : usage.used);
        return;
    }
}

PoolUsage usage_of(const store::Pool &pool)
{
    const auto cidr = Cidr::parse(pool.cidr);
    PoolUsage usage;
    usage.name = pool.name;
    usage.cidr = pool.cidr;
    usage.state = state_of(pool, cidr.has_value());
    usage.addresses = cidr ? size_of(*cidr) : "";
    return usage;
}

}  // namespace

Result<IpamReport> ipam_report(store::Store &store, Deadline deadline)
{
    const std::array<store::Query, 2> queries = {store::ListPools{}, store::ListBlocks{}};
    auto found = store.read(queries, deadline);
    TORTIE_TRY(const auto pools, store::all<store::Pool>(std::move(found[0])));
    TORTIE_TRY(auto blocks, store::all<store::Block>(std::move(found[1])));
    std::sort(blocks.begin(), blocks.end(), [](const auto &a, const auto &b) {
        return a.document.cidr.addr < b.document.cidr.addr;
    });
    IpamReport report;
    for (const auto &pool : pools)
        report.pools.push_back(usage_of(pool.document));
    for (const auto &block : blocks) {
        const std::vector<Held> held = addresses_in(block.document);
        count(report, pools, block.document, held);
        report.blocks.push_back({.cidr = block.document.cidr.to_string(),
                                 .affinity = block.document.affinity,
                                 .used = held.size(),
                                 .size = block.document.allocations.size()});
        for (const Held &each : held)
            report.addresses.push_back(each.use);
    }
    return report;
}

}  // namespace tortie::calico
