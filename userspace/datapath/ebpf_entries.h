// SPDX-License-Identifier: Apache-2.0
//
// From what is published to the keys of the programs' maps. Pure.
#pragma once

#include <vector>

#include "base/ip_addr.h"
#include "datapath/port_mapper.h"
#include "loader/portmap_object.h"

namespace tortie {

// 16 bytes as in the maps, IPv4 v4-mapped; and back.
PodAddress map_address(const IpAddr &address);
IpAddr unmap_address(const PodAddress &address);

// An address of the flow table of IPv4, which has them as they are.
IpAddr ipv4_address(__u32 address_be);

// The same in a struct of the contract.
void write_address(__u32 (&to_be)[4], const IpAddr &address);
PodAddress address_in(const __u32 (&bytes_be)[4]);

// Its program was left for a later call of ours to attach (EbpfNode::attach_waiting).
bool is_waiting(const pm_pod &pod);

pm_hostport_key hostport_key(const PublishedPort &port);
pm_podport_key podport_key(const PublishedPort &port);

// TCP or UDP, on addresses that others than the node itself can reach.
bool is_carried(const PublishedPort &port);

// The ports of a publication that the programs may know: TCP and UDP, on addresses of the node that
// others can reach, without conditions and with no masquerading but that of the node's own and the
// pod's packets; without those in `held`, which lead elsewhere. Everything else is netfilter's.
std::vector<PublishedPort> carried_ports(const Publication &publication,
                                         const std::vector<PublishedPort> &held);

}  // namespace tortie
