// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_flows.h"

#include <arpa/inet.h>

#include <chrono>
#include <vector>

#include "base/pause.h"
#include "datapath/ebpf_entries.h"
#include "sys/conntrack.h"

namespace tortie {
namespace {

// A program that began before no_adopt was set has ended by then.
constexpr std::chrono::milliseconds kProgramsEnd(5);

bool is_marked(std::uint32_t born, std::uint32_t marked)
{
    // Jiffies wrap.
    return marked != 0 && static_cast<std::int32_t>(born - marked) < 0;
}

bool needs_mark(const pm_flow &flow, std::uint8_t l4_proto, std::uint8_t dir, std::uint32_t marked)
{
    return flow.mode == TORTIE_PM_ADOPTED && dir == TORTIE_PM_FORWARD &&
           l4_proto == static_cast<std::uint8_t>(Protocol::kTcp) && !is_marked(flow.born, marked);
}

TrackedFlow tracked(const IpAddr &source, const IpAddr &destination, std::uint16_t source_port_be,
                    std::uint16_t destination_port_be)
{
    return {.source = source,
            .destination = destination,
            .source_port = ntohs(source_port_be),
            .destination_port = ntohs(destination_port_be),
            .reply_source = {},
            .reply_source_port = 0};
}

Result<std::vector<TrackedFlow>> unmarked_flows(const PinFolder &folder, std::uint32_t marked)
{
    TORTIE_TRY(const PortmapFlows flows, PortmapFlows::open(folder));
    std::vector<TrackedFlow> found;
    TORTIE_DO(flows.ipv4.visit([&](const pm_tuple4 &key, const pm_flow4 &flow) {
        if (needs_mark(flow.common, key.l4_proto, key.dir, marked))
            found.push_back(tracked(ipv4_address(key.src_be), ipv4_address(key.dst_be),
                                    key.src_port_be, key.dst_port_be));
        return true;
    }));
    TORTIE_DO(flows.ipv6.visit([&](const pm_tuple6 &key, const pm_flow6 &flow) {
        if (needs_mark(flow.common, key.l4_proto, key.dir, marked))
            found.push_back(tracked(unmap_address(address_in(key.src_be)),
                                    unmap_address(address_in(key.dst_be)), key.src_port_be,
                                    key.dst_port_be));
        return true;
    }));
    return found;
}

}  // namespace

Result<> mark_flows(const EbpfNode &node)
{
    const MappedVariables<pm_state> &state = node.maps().state;
    TORTIE_TRY(const auto counts, read_portmap_counts(node.folder()));
    if (counts[TORTIE_PM_ADOPTED_FORWARD] + counts[TORTIE_PM_ADOPTED_REPLY] == 0)
        return {};
    TORTIE_TRY(const PortmapClock now, read_portmap_clock(node.folder(), state));
    TORTIE_TRY(const auto flows, unmarked_flows(node.folder(), state->marked));
    if (!flows.empty())
        TORTIE_DO(accept_any_window(flows));
    // The program that adopts at this very moment took the clock a little earlier.
    const auto until = static_cast<std::uint32_t>(now.jiffies) - 1;
    state->marked = until == 0 ? 1 : until;
    return {};
}

Result<> switch_off(const EbpfNode &node)
{
    pm_state &state = *node.maps().state;
    __atomic_store_n(&state.no_adopt, 1U, __ATOMIC_SEQ_CST);
    pause_for(kProgramsEnd);
    TORTIE_DO(mark_flows(node));
    __atomic_store_n(&state.off, 1U, __ATOMIC_SEQ_CST);
    return {};
}

void switch_on(const EbpfNode &node)
{
    pm_state &state = *node.maps().state;
    for (__u32 &epoch : state.epochs)
        __atomic_fetch_add(&epoch, 1U, __ATOMIC_SEQ_CST);
    __atomic_store_n(&state.off, 0U, __ATOMIC_SEQ_CST);
    __atomic_store_n(&state.no_adopt, 0U, __ATOMIC_SEQ_CST);
}

}  // namespace tortie
