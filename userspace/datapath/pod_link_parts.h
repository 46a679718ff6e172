// SPDX-License-Identifier: Apache-2.0
//
// What a pod's link consists of, for those that make it and those that check it.
// Source: Calico's CNI plugin, sections 4.2 to 4.5 of the specification of its data plane.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "datapath/pod_link.h"
#include "sys/netlink.h"
#include "sys/route.h"

namespace tortie {

// The same on every node, so that a pod that is moved keeps its neighbour entries.
inline constexpr EtherAddr kHostMac = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};

// Nobody has this address; the node answers for it by proxy ARP.
IpAddr ipv4_gateway();

// fe80::ecee:eeff:feee:eeee, which the kernel makes out of kHostMac.
IpAddr ipv6_gateway();

bool has_family(const PodLinkRequest &request, Family family);

// An address with all of its bits.
Cidr host_cidr(const IpAddr &addr);

// The IPv4 route to the gateway itself first, then the request's in its order.
std::vector<Route> pod_routes(const PodLinkRequest &request, Family family, int ifindex);

// A sysctl of the node for its end of the link.
struct HostSysctl {
    std::string name;  // below /proc/sys/net
    std::string_view value;
    bool needed;  // for traffic: a failure is an error, and not a warning
};
std::vector<HostSysctl> host_sysctls(const PodLinkRequest &request);

// One request of many, and what its failure is called.
struct Step {
    NetlinkMessage message;
    std::string failure;
};

// All of them in one go, also those behind one that failed. `each` sees the answers to questions.
// Errors: the first step that failed, in Go's words.
Result<> run_steps(NetlinkSocket &socket, std::vector<Step> steps, std::string_view doing,
                   const NetlinkSocket::OnReply &each = {});

// "net.ipv4.conf.eth0.proxy_arp=1" for people.
std::string setting_text(std::string_view name, std::string_view value);

}  // namespace tortie
