// SPDX-License-Identifier: Apache-2.0
//
// What the programs of the port mapping know on this node: which pods, ports and uplinks, and where
// they are attached. Every change is made by one process at a time (PinRoot::exclusively), in the
// order that bpf/shared/portmap_types.h gives, so that a packet of something half done is
// netfilter's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "datapath/port_mapper.h"
#include "loader/attach.h"
#include "loader/pins.h"
#include "loader/portmap_object.h"
#include "sys/link.h"
#include "sys/netlink.h"

namespace tortie {

struct EbpfSettings {
    PinPlaces places;
    AttachWay attach = AttachWay::kTcx;  // where the kernel has none: clsact
    // A pod's filter of clsact is left for a later call: its qdisc would keep a plugin behind us in
    // the chain (bandwidth) from making the qdisc ingress, and with it the pod from starting.
    bool attach_later = false;
    bool full = false;                // flows are taken from their first packet ...
    bool full_beside_others = false;  // ... also where find_other_filter() finds one
    unsigned abi = kPortmapAbi;
};

class EbpfNode {
public:
    // The pinned objects of the settings' ABI. Errors: kNotFound when nothing is loaded.
    static Result<EbpfNode> open(const EbpfSettings &settings);

    EbpfNode(EbpfNode &&) = default;
    EbpfNode &operator=(EbpfNode &&) = delete;
    EbpfNode(const EbpfNode &) = delete;
    EbpfNode &operator=(const EbpfNode &) = delete;
    ~EbpfNode() = default;

    // Afterwards the node's uplinks of now have the program and are known; with `sweep` others no
    // longer. `pod_device` is no uplink, nor are those of the pods that are known.
    Result<std::vector<Link>> refresh_uplinks(int pod_device, bool sweep);

    // Afterwards the programs carry these ports to the pod behind `veth`. `full`: new flows to them
    // need not be seen by netfilter, where the settings say so, too.
    Result<> carry(const std::vector<PublishedPort> &ports, const std::vector<Cidr> &addresses,
                   const Link &veth, bool full);

    // Afterwards the pods that were left for a later call have their program, but for those whose
    // hook somebody else holds: they stay netfilter's, and are tried again by the next call.
    Result<> attach_waiting();

    // Afterwards none of the ports leads to its target and no packet of the pods with these
    // addresses is carried; their program is detached, but not from the device number `but_at`.
    // What is not there is no error.
    Result<> drop(const std::vector<PublishedPort> &ports, const std::vector<IpAddr> &addresses,
                  int but_at = 0);

    // Whether the programs know the pod; then: everything is in place. Errors: kNotFound with the
    // first thing that is missing.
    Result<bool> knows(const IpAddr &address) const;
    Result<> check(const std::vector<PublishedPort> &ports, const IpAddr &address);

    // Whether flows may be taken from their first packet, as of now: the settings say so, and
    // nobody else filters. What others filter counts from the next call of any plugin on.
    Result<> judge_full();

    // Forgets pods whose veth is gone or no longer theirs, and everything that led to them.
    Result<> sweep();

    NetlinkSocket &route() { return *route_; }
    const PinFolder &folder() const { return *folder_; }
    const PortmapMaps &maps() const { return maps_; }
    Attacher &attacher() { return *attacher_; }

private:
    EbpfNode(const EbpfSettings &settings, std::unique_ptr<PinFolder> folder,
             std::unique_ptr<NetlinkSocket> route, PortmapMaps maps);

    template <class Attach>
    Result<> attach_by(Attach attach);
    Result<bool> is_attached_soon(int ifindex);
    Result<std::set<int>> pod_devices() const;
    Result<> know_uplink(const Link &link);
    Result<> forget_uplinks(const std::set<std::uint32_t> &but);
    Result<> retire_pod(const PodAddress &address, pm_pod pod);
    Result<> detach_pod(int ifindex, bool was_carried);
    Result<> forget_pods(const std::set<PodAddress> &pods, int but_at);
    Result<> forget_ports(const std::set<PodAddress> &pods);
    Result<> clear_bits();
    Result<bool> is_live(const PodAddress &address, const pm_pod &pod);

    EbpfSettings settings_;
    std::unique_ptr<PinFolder> folder_;  // these two stay where they are: attacher_ refers to them
    std::unique_ptr<NetlinkSocket> route_;
    PortmapMaps maps_;
    std::unique_ptr<Attacher> attacher_;
};

}  // namespace tortie
