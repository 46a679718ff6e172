// SPDX-License-Identifier: Apache-2.0
//
// A pod's link to its node as Calico has it: a pair of interfaces without a subnet. The pod routes
// everything to 169.254.1.1 or to the node's link-local address, which the node answers for
// (proxy ARP, and an IPv6 address that follows from a fixed MAC); the node has one host route for
// each of the pod's addresses. Felix, which takes over from here, expects exactly this.
//
// The kernel holds all state. Whatever a killed create_pod_link() leaves behind is one pair of
// interfaces, which goes with remove_pod_link(), with the pod's network namespace, or when the next
// create_pod_link() needs the node's name. Error texts are those of Calico v3.32.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/mac_addr.h"
#include "base/result.h"

namespace tortie {

enum class PodDevice { kVeth, kNetkit };

// 0.0.0.0/0 and ::/0.
std::vector<Cidr> default_pod_routes();

struct PodLinkRequest {
    std::string netns;                 // path of the pod's network namespace
    std::string ifname;                // in the pod
    std::string host_ifname;           // on the node; datapath/host_ifname.h
    std::string host_prefix = "cali";  // what the names of pods' interfaces on the node begin with
    std::uint32_t mtu_bytes = 0;       // 0: the kernel's default
    std::uint32_t queues = 1;          // of each end, both directions
    std::vector<IpAddr> addresses;     // of the pod; at least one
    std::vector<Cidr> routes =
        default_pod_routes();            // in the pod; families without address skipped
    std::optional<EtherAddr> mac;        // of the pod's end; without: a random one
    bool allow_ip_forwarding = false;    // in the pod
    bool skip_host_side_routes = false;  // Felix makes them (KubeVirt migration)
    PodDevice device = PodDevice::kVeth;
};

struct PodLinkState {
    std::string host_ifname;
    EtherAddr mac{};  // of the pod's end
    std::uint32_t mtu_bytes = 0;
};

// The value of the annotation cni.projectcalico.org/hwAddr, checked as far as the kernel would.
// Errors: kInvalidInput, with the whole text for the user.
Result<EtherAddr> parse_pod_mac(std::string_view annotation);

// Afterwards the pod can be reached from the node and through it. An interface of the node that has
// the name already is deleted first, with what hangs on it; one of the pod's is not: "file exists"
// (kExists). The node's end comes up when the pod's addresses and routes are there.
//
// A host route that another interface has is taken over when that interface belongs to a pod that
// is gone, and is an error otherwise.
//
// netkit falls back to veth where the kernel has none, with a line in the log.
//
// On failure no link is left, and the pod's sysctls are as they were; what has been deleted or
// taken over stays so. Must run in the node's namespace. Privileges: CAP_NET_ADMIN, CAP_SYS_ADMIN.
Result<PodLinkState> create_pod_link(const PodLinkRequest &request);

// Deletes the pod's interface, and so the node's end with its routes. Success when there is
// nothing to delete: no such interface, no such namespace, or a path that is no namespace (a file
// that a runtime left behind). An empty path is success as well. The kernel is given 20 seconds.
// A child process may outlive the call by some milliseconds (sys/link_removal.h).
Result<> remove_pod_link(const std::string &netns, const std::string &ifname);

// Compares the node and the pod with what create_pod_link() made of the request; `mac` is what it
// answered. Changes nothing. Errors: kInvalidInput with the first difference; others as of netns.
Result<> check_pod_link(const PodLinkRequest &request, const std::optional<EtherAddr> &mac);

}  // namespace tortie
