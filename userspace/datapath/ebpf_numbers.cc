// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_numbers.h"

#include <set>

#include "datapath/ebpf_entries.h"
#include "datapath/uplinks.h"

namespace tortie {
namespace {

void count_device(EbpfNode &node, const HookedProgram &program, const Link &link,
                  EbpfNumbers::Devices &devices)
{
    ++devices.all;
    if (!node.attacher().is_attached(program, link.index).value_or(false))
        devices.bare.push_back(link.name);
}

Result<> count_programs(EbpfNode &node, EbpfNumbers &numbers)
{
    std::set<int> known;
    std::set<int> carried;
    TORTIE_DO(node.maps().pods.visit([&](const PodAddress &, const pm_pod &pod) {
        known.insert(static_cast<int>(pod.ifindex));
        if (pod.flags != 0 && !is_waiting(pod))
            carried.insert(static_cast<int>(pod.ifindex));
        return true;
    }));
    TORTIE_TRY(const auto uplinks, find_uplinks(node.route(), known));
    for (const Link &link : uplinks)
        count_device(node, kUplinkProgram, link, numbers.uplinks);
    for (const int ifindex : carried) {
        if (const auto link = find_link(node.route(), ifindex))
            count_device(node, kPodProgram, *link, numbers.pods);
    }
    return {};
}

// A flow is two entries, one a direction.
template <class Table>
Result<EbpfNumbers::Flows> count_flows(const Table &table)
{
    EbpfNumbers::Flows flows{.now = 0, .limit = table.max_entries() / 2};
    TORTIE_DO(table.visit([&](const auto &key, const auto &) {
        flows.now += key.dir == TORTIE_PM_FORWARD ? 1U : 0U;
        return true;
    }));
    return flows;
}

}  // namespace

Result<EbpfNumbers> read_ebpf_numbers(EbpfNode &node)
{
    EbpfNumbers numbers;
    TORTIE_DO(count_programs(node, numbers));
    TORTIE_TRY(const PortmapFlows flows, PortmapFlows::open(node.folder()));
    TORTIE_TRY(numbers.ipv4, count_flows(flows.ipv4));
    TORTIE_TRY(numbers.ipv6, count_flows(flows.ipv6));
    TORTIE_TRY(numbers.counts, read_portmap_counts(node.folder()));
    return numbers;
}

}  // namespace tortie
