// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_refill.h"

#include <map>

#include "datapath/ebpf_entries.h"
#include "datapath/ebpf_pod.h"
#include "datapath/published_ports.h"
#include "sys/conntrack.h"

namespace tortie {
namespace {

using PortsOfPods = std::map<IpAddr, std::vector<PublishedPort>>;

Result<PortsOfPods> ports_of_unknown_pods(const EbpfNode &node)
{
    TORTIE_TRY(const auto ports, list_published_ports());
    PortsOfPods pods;
    for (const PublishedPort &port : ports) {
        TORTIE_TRY(const bool known, node.knows(port.target));
        if (!known && is_carried(port))
            pods[port.target].push_back(port);
    }
    return pods;
}

// Whatever device runs a program of that name that is not this ABI's has no reason to any more.
Result<> detach_others(EbpfNode &node, const HookedProgram &program)
{
    TORTIE_TRY(const auto links, list_links(node.route()));
    for (const Link &link : links) {
        TORTIE_TRY(const bool own, node.attacher().is_attached(program, link.index));
        if (!own)
            TORTIE_DO(node.attacher().detach(program, link.index));
    }
    return {};
}

}  // namespace

Result<> refill(EbpfNode &node)
{
    TORTIE_TRY(const PortsOfPods pods, ports_of_unknown_pods(node));
    TORTIE_TRY(const auto uplinks, node.refresh_uplinks(0, false));
    for (const auto &[address, ports] : pods) {
        const std::vector<Cidr> addresses = {{address, width_bits(address.family())}};
        TORTIE_TRY(const PodVeth veth, find_pod_veth(node.route(), addresses));
        if (veth.link && find_narrower(uplinks, *veth.link) == nullptr)
            TORTIE_DO(node.carry(ports, addresses, *veth.link, false));
    }
    return {};
}

Result<> replace_other_abis(EbpfNode &node, const PinRoot &root, unsigned own_abi)
{
    // What is in the tables of another ABI only that one knows; conntrack knows all its flows.
    TORTIE_DO(accept_any_window_of_translated());
    TORTIE_TRY(const auto abis, root.abis());
    for (const unsigned abi : abis)
        if (abi != own_abi)
            TORTIE_DO(node.attacher().take_over_links(root.folder(abi)));
    TORTIE_DO(refill(node));
    TORTIE_DO(detach_others(node, kUplinkProgram));
    TORTIE_DO(detach_others(node, kPodProgram));
    for (const unsigned abi : abis)
        if (abi != own_abi)
            TORTIE_DO(root.folder(abi).remove());
    return {};
}

}  // namespace tortie
