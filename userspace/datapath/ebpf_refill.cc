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
    // Whatever runs a program of ours that is not of this ABI has no reason to any more.
    TORTIE_TRY(const auto links, list_links(node.route()));
    for (const Link &link : links) {
        for (const HookedProgram &program : {kUplinkProgram, kPodProgram}) {
            TORTIE_TRY(const bool ours, node.attacher().is_attached(program, link.index));
            if (!ours)
                TORTIE_DO(node.attacher().detach(program, link.index));
        }
    }
    for (const unsigned abi : abis)
        if (abi != own_abi)
            TORTIE_DO(root.folder(abi).remove());
    return {};
}

}  // namespace tortie
