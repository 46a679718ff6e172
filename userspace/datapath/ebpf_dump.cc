// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_dump.h"

#include <arpa/inet.h>

#include <string_view>
#include <vector>

#include "base/strings.h"
#include "datapath/ebpf_entries.h"

namespace tortie {
namespace {

constexpr std::size_t kFlowsShown = 100;

std::string name_of_device(NetlinkSocket &route, std::uint32_t ifindex)
{
    const auto link = find_link(route, static_cast<int>(ifindex));
    return link ? link->name : "number " + std::to_string(ifindex) + " (gone)";
}

// "10.0.0.1:80", "[::1]:80", "*:80" for any address.
std::string place(const IpAddr &address, std::uint16_t port_be)
{
    std::string text = address.is_unspecified() ? "*" : address.to_string();
    if (!address.is_unspecified() && address.family() == Family::kIpv6)
        text.insert(0, "[").append("]");
    return text.append(":").append(std::to_string(ntohs(port_be)));
}

std::string place(const __u32 (&address_be)[4], std::uint16_t port_be)
{
    return place(unmap_address(address_in(address_be)), port_be);
}

std::string name_of_protocol(std::uint8_t number)
{
    return std::string(name_of(static_cast<Protocol>(number)));
}

std::string obstacles_in(std::uint32_t bits, std::uint32_t looked)
{
    constexpr std::string_view kNames[] = {"queue",         "egress program", "ingress program",
                                           "nft ingress",   "nft egress",     "bridge or bond",
                                           "cannot be read"};
    if (looked == 0)
        return "not looked at yet";
    std::vector<std::string> found;
    for (std::size_t bit = 0; bit < std::size(kNames); ++bit)
        if ((bits >> bit & 1U) != 0)
            found.emplace_back(kNames[bit]);
    return found.empty() ? "nothing in the way" : "in the way: " + join(found, ", ");
}

std::string attached(const Result<bool> &is_attached)
{
    return is_attached.value_or(false) ? "attached, " : "NOT ATTACHED, ";
}

Result<std::string> devices_of(EbpfNode &node)
{
    std::string text = "uplinks\n";
    std::vector<std::pair<std::uint32_t, pm_uplink>> uplinks;
    std::vector<std::pair<PodAddress, pm_pod>> pods;
    TORTIE_DO(node.maps().uplinks.visit([&](const std::uint32_t &ifindex, const pm_uplink &value) {
        uplinks.emplace_back(ifindex, value);
        return true;
    }));
    TORTIE_DO(node.maps().pods.visit([&](const PodAddress &address, const pm_pod &value) {
        pods.emplace_back(address, value);
        return true;
    }));
    for (const auto &[ifindex, uplink] : uplinks)
        text.append("  ")
            .append(name_of_device(node.route(), ifindex))
            .append(": ")
            .append(
                attached(node.attacher().is_attached(kUplinkProgram, static_cast<int>(ifindex))))
            .append(obstacles_in(uplink.obstacles, uplink.looked))
            .append("\n");
    text.append("pods\n");
    for (const auto &[address, pod] : pods)
        text.append("  ")
            .append(unmap_address(address).to_string())
            .append(" at ")
            .append(name_of_device(node.route(), pod.ifindex))
            .append(": ")
            .append(
                attached(node.attacher().is_attached(kPodProgram, static_cast<int>(pod.ifindex))))
            .append(obstacles_in(pod.obstacles, pod.looked))
            .append("\n");
    return text;
}

Result<std::string> ports_of(const EbpfNode &node)
{
    std::string text = "host ports\n";
    TORTIE_DO(node.maps().hostports.visit([&](const pm_hostport_key &key,
                                              const pm_hostport &value) {
        text.append("  ")
            .append(name_of_protocol(key.l4_proto))
            .append(" ")
            .append(place(key.addr_be, key.port_be))
            .append(" -> ")
            .append(place(value.pod_addr_be, value.pod_port_be))
            .append((value.flags & TORTIE_PM_MAY_FULL) != 0 ? ", from the first packet\n" : "\n");
        return true;
    }));
    return text;
}

std::string flow_line(const std::string &client, const std::string &node, const std::string &pod,
                      std::uint8_t l4_proto, const pm_flow &flow)
{
    return "  " + name_of_protocol(l4_proto) + " " + client + " -> " + node + " -> " + pod +
           (flow.mode == TORTIE_PM_FULL ? ", full" : ", adopted") +
           ((flow.flags & TORTIE_PM_CLOSING) != 0 ? ", closing\n" : "\n");
}

Result<std::string> flows_of(const EbpfNode &node)
{
    TORTIE_TRY(const PortmapFlows flows, PortmapFlows::open(node.folder()));
    std::size_t count = 0;
    std::string lines;
    TORTIE_DO(flows.ipv4.visit([&](const pm_tuple4 &key, const pm_flow4 &flow) {
        if (key.dir == TORTIE_PM_FORWARD && ++count <= kFlowsShown)
            lines += flow_line(place(ipv4_address(key.src_be), key.src_port_be),
                               place(ipv4_address(key.dst_be), key.dst_port_be),
                               place(ipv4_address(flow.addr_be), flow.common.port_be), key.l4_proto,
                               flow.common);
        return true;
    }));
    TORTIE_DO(flows.ipv6.visit([&](const pm_tuple6 &key, const pm_flow6 &flow) {
        if (key.dir == TORTIE_PM_FORWARD && ++count <= kFlowsShown)
            lines +=
                flow_line(place(key.src_be, key.src_port_be), place(key.dst_be, key.dst_port_be),
                          place(flow.addr_be, flow.common.port_be), key.l4_proto, flow.common);
        return true;
    }));
    return "flows (" + std::to_string(count) + ")\n" + lines +
           (count > kFlowsShown ? "  ...\n" : "");
}

Result<std::string> counts_of(const EbpfNode &node)
{
    TORTIE_TRY(const auto counts, read_portmap_counts(node.folder()));
    std::string text = "counted\n";
    for (std::size_t i = 0; i < counts.size(); ++i)
        if (counts[i] != 0)
            text.append("  ")
                .append(kPmCountText[i])
                .append(": ")
                .append(std::to_string(counts[i]))
                .append("\n");
    return text;
}

std::string state_of(const EbpfNode &node, unsigned abi)
{
    const pm_state &state = *node.maps().state;
    std::string text = "programs of ABI " + std::to_string(abi) + ": ";
    text.append(state.off != 0 ? "switched off" : state.no_adopt != 0 ? "taking no flows" : "on");
    text.append(state.can_adopt != 0 ? ", flows are adopted" : ", conntrack cannot be asked");
    return text.append(state.full != 0 ? ", full mode\n" : "\n");
}

}  // namespace

Result<std::string> dump_ebpf(const EbpfSettings &settings)
{
    auto node = EbpfNode::open(settings);
    if (!node && node.error().kind() == ErrorKind::kNotFound)
        return std::string("no programs are loaded\n");
    if (!node)
        return fail(std::move(node).error());
    TORTIE_TRY(const std::string devices, devices_of(*node));
    TORTIE_TRY(const std::string ports, ports_of(*node));
    TORTIE_TRY(const std::string flows, flows_of(*node));
    TORTIE_TRY(const std::string counts, counts_of(*node));
    return state_of(*node, settings.abi) + devices + ports + flows + counts;
}

}  // namespace tortie
