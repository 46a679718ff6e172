// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_port_mapper.h"

#include <utility>

#include "base/log.h"
#include "datapath/ebpf_entries.h"
#include "datapath/ebpf_flows.h"
#include "datapath/ebpf_load.h"
#include "datapath/ebpf_pod.h"

namespace tortie {
namespace {

std::vector<IpAddr> addresses_of(const Publication &publication)
{
    std::vector<IpAddr> addresses;
    addresses.reserve(publication.addresses.size());
    for (const Cidr &address : publication.addresses)
        addresses.push_back(address.addr);
    return addresses;
}

// A flow that is not marked is in danger only when somebody detaches the programs.
void mark_or_log(const EbpfNode &node)
{
    if (const auto marked = mark_flows(node); !marked)
        log::warn("flows would not survive losing the programs",
                  {{"cause", marked.error().what()}});
}

}  // namespace

Result<std::vector<PublishedPort>> EbpfPortMapper::publish(const Publication &publication)
{
    TORTIE_TRY(auto held, netfilter_.publish(publication));
    auto carried = carry(publication, held);
    if (carried)
        return held;
    refusal_ = carried.error();
    if (is_ == EbpfIs::kWished)
        return held;
    if (const auto undone = withdraw(publication); !undone)
        log::error("cannot undo", {{"cause", undone.error().what()}});
    return fail(std::move(carried).error());
}

Result<> EbpfPortMapper::carry(const Publication &publication,
                               const std::vector<PublishedPort> &held)
{
    const auto ports = carried_ports(publication, held);
    if (ports.empty())
        return drop({}, addresses_of(publication));
    TORTIE_DO(ensure_ebpf_loaded(settings_));
    return PinRoot(settings_.places).exclusively([&]() -> Result<> {
        TORTIE_TRY(EbpfNode node, EbpfNode::open(settings_));
        return carry_on(node, publication, ports);
    });
}

Result<> EbpfPortMapper::carry_on(EbpfNode &node, const Publication &publication,
                                  const std::vector<PublishedPort> &ports)
{
    const auto leave = [](const std::string &why) -> Result<> {
        log::info("the pod's packets are left to netfilter", {{"cause", why}});
        return {};
    };
    TORTIE_TRY(const PodVeth veth, find_pod_veth(node.route(), publication.addresses));
    const int device = veth.link ? veth.link->index : 0;
    // An attachment that is published anew, or an address that was another pod's.
    for (const IpAddr &address : addresses_of(publication)) {
        TORTIE_TRY(const bool known, node.knows(address));
        if (known)
            TORTIE_DO(node.drop({}, {address}, device));
    }
    TORTIE_TRY(const auto uplinks, node.refresh_uplinks(device, false));
    TORTIE_DO(node.judge_full());
    TORTIE_DO(node.attach_waiting());
    if (!veth.link)
        return leave(veth.obstacle);
    if (const Link *narrow = find_narrower(uplinks, *veth.link))
        return leave("the MTU of " + veth.link->name + " is above that of uplink " + narrow->name);
    auto carried = node.carry(ports, publication.addresses, *veth.link, true);
    if (!carried)
        if (const auto undone = node.drop(ports, addresses_of(publication)); !undone)
            log::error("cannot undo", {{"cause", undone.error().what()}});
    return carried;
}

Result<> EbpfPortMapper::check(const Publication &publication)
{
    TORTIE_DO(netfilter_.check(publication));
    const auto ports = carried_ports(publication, {});
    if (ports.empty())
        return {};
    auto node = EbpfNode::open(settings_);
    if (!node && node.error().kind() == ErrorKind::kNotFound && is_ == EbpfIs::kWished)
        return {};
    if (!node)
        return fail(std::move(node).error());
    mark_or_log(*node);
    TORTIE_DO(PinRoot(settings_.places).exclusively([&] { return node->attach_waiting(); }));
    TORTIE_TRY(const PodVeth veth, find_pod_veth(node->route(), publication.addresses));
    for (const IpAddr &address : addresses_of(publication)) {
        TORTIE_TRY(const bool known, node->knows(address));
        if (known || (is_ == EbpfIs::kRequired && veth.link))
            TORTIE_DO(node->check(ports, address));
    }
    return {};
}

Result<> EbpfPortMapper::drop(const std::vector<PublishedPort> &ports,
                              const std::vector<IpAddr> &addresses)
{
    const PinRoot root(settings_.places);
    if ((ports.empty() && addresses.empty()) || !root.folder(settings_.abi).exists())
        return {};
    return root.exclusively([&]() -> Result<> {
        TORTIE_TRY(EbpfNode node, EbpfNode::open(settings_));
        mark_or_log(node);
        TORTIE_DO(node.judge_full());
        return node.drop(ports, addresses);
    });
}

Result<std::vector<PublishedPort>> EbpfPortMapper::withdraw(const Publication &publication)
{
    const auto dropped = drop({}, addresses_of(publication));
    TORTIE_TRY(auto removed, netfilter_.withdraw(publication));
    if (!dropped)
        return fail(dropped.error());
    if (publication.addresses.empty())
        TORTIE_DO(drop(removed, {}));
    return removed;
}

Result<std::vector<PublishedPort>> EbpfPortMapper::collect_garbage(
    const std::string &network, const std::vector<Attachment> &valid)
{
    TORTIE_TRY(auto removed, netfilter_.collect_garbage(network, valid));
    const PinRoot root(settings_.places);
    if (!root.folder(settings_.abi).exists())
        return removed;
    TORTIE_DO(root.exclusively([&] { return tidy(removed); }));
    return removed;
}

Result<> EbpfPortMapper::tidy(const std::vector<PublishedPort> &removed)
{
    TORTIE_TRY(EbpfNode node, EbpfNode::open(settings_));
    if (!removed.empty())
        TORTIE_DO(node.drop(removed, {}));
    TORTIE_DO(node.sweep());
    TORTIE_DO(node.refresh_uplinks(0, true));
    TORTIE_DO(node.judge_full());
    TORTIE_DO(node.attach_waiting());
    mark_or_log(node);
    return {};
}

}  // namespace tortie
