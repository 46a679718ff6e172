// SPDX-License-Identifier: Apache-2.0
//
// A node with two pods on a bridge and a machine outside, and the portmap executable run in it:
//
//   outside eth0 ---- up0 node br0 ---- eth0 pod "one"
//   192.0.2.2         192.0.2.1, .10    10.66.0.2  fd00:66::2
//   2001:db8::2       2001:db8::1       10.66.0.1   \- eth0 pod "two" 10.66.0.3  fd00:66::3
//
// With BPF programs there is no bridge: each pod has its own link, as Calico makes it, and the
// node's address 10.66.0.1 is on both.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "harness/bpffs.h"
#include "harness/netns.h"
#include "harness/plugin_call.h"
#include "harness/temp_dir.h"
#include "shared/portmap_counters.h"

namespace tortie::test {

struct Pod {
    const char *id;  // container id
    const char *ipv4;
    const char *ipv6;
    const char *host_end;  // of its veth
};

inline constexpr Pod kPodOne = {"one", "10.66.0.2", "fd00:66::2", "veth1"};
inline constexpr Pod kPodTwo = {"two", "10.66.0.3", "fd00:66::3", "veth2"};

// How ports are published: the keys of the configuration, which iptables the node has, and what
// leads to the pods. BPF programs carry nothing to the ports of a bridge.
struct Way {
    const char *name;
    const char *backend;
    bool legacy_iptables = false;
    const char *datapath = "netfilter";
    const char *disable = nullptr;  // capabilities that are not to be used

    bool ebpf() const { return std::string_view(datapath) != "netfilter"; }
};

inline constexpr Way kIptablesNft = {"iptables_nft", "iptables"};
inline constexpr Way kIptablesLegacy = {"iptables_legacy", "iptables", true};
inline constexpr Way kNftables = {"nftables", "nftables"};
inline constexpr Way kEbpf = {"ebpf", "nftables", false, "ebpf"};
inline constexpr Way kEbpfClsact = {"ebpf_clsact_over_iptables", "iptables", false, "ebpf",
                                    "tcx_link"};
inline constexpr Way kEbpfFull = {"ebpf_full", "nftables", false, "ebpf-full"};

// Parts of a configuration.
struct PortmapCall {
    std::string mappings = {};  // elements of runtimeConfig.portMappings, as JSON
    std::string keys = {};      // more keys with a comma behind each: "\"snat\": false,"
    std::string network = "pmnet";
    std::string container = {};  // instead of the pod's id
    std::string ifname = "eth0";
    bool ipv6 = true;  // the pod has an IPv6 address, too
};

class PortmapNode {
public:
    explicit PortmapNode(const Way &way);

    const Netns &node() const { return node_; }
    const Netns &outside() const { return outside_; }
    const Netns &netns_of(const Pod &pod) const;

    PluginOutcome call(const std::string &binary, const std::string &verb, const Pod &pod,
                       const PortmapCall &call) const;

    // Our executable; a failure fails the test.
    void add(const Pod &pod, const PortmapCall &call) const;
    void del(const Pod &pod, const PortmapCall &call) const;
    PluginOutcome check(const Pod &pod, const PortmapCall &call) const;

    std::string config_of(const Pod &pod, const PortmapCall &call) const;

    // Environment of a call, with the PATH that leads to the node's iptables.
    std::map<std::string, std::string> env_of(const std::string &verb, const Pod &pod,
                                              const PortmapCall &call) const;

    // How often the programs carried a packet, and the sum over both directions. 0 without
    // programs.
    std::uint64_t count(pm_count what) const;
    std::uint64_t carried() const;

    // Table nat of both families without comments and counters.
    std::string saved_rules() const;

    // Again, after the node's end of the link was deleted; with this number, when it is given one.
    void connect_outside() const;
    void make_pod_again(const Pod &pod, const std::string &ifindex) const;

private:
    void make_bridge() const;
    void connect_pod(const Pod &pod) const;
    void furnish_pod(const Pod &pod) const;
    void lead_to_pod(const Pod &pod) const;

    Way way_;
    std::unique_ptr<PrivateBpffs> bpffs_;  // before the namespaces
    TempDir programs_;                     // links to the legacy programs
    Netns node_;
    Netns outside_;
    Netns pod_one_;
    Netns pod_two_;
};

std::string ours();  // the path of our executable

// The Go plugin v1.9.1, or none.
std::optional<std::string> go_portmap();

std::string tcp(int host_port, int container_port, const std::string &host_ip = "");
std::string udp(int host_port, int container_port, const std::string &host_ip = "");

}  // namespace tortie::test
