// SPDX-License-Identifier: Apache-2.0
//
// The network configuration of Calico, which both programs get: `calico` from the runtime,
// `calico-ipam` from whoever delegates to it. Key names and defaults are Calico's, and a zero
// value ("", 0, null) means the same as an absent key.
// Source: spec calico-cni.md section 1, calico-v3.32.1.md section 4.
//
// Two keys are ours: `datastore_timeout_seconds`, what a call may take in all (90), and
// `datastore_connect_timeout_seconds`, what a connection may take to be made (10).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cni/json.h"

namespace tortie::calico_cni {

using StringPairs = std::vector<std::pair<std::string, std::string>>;

struct IpamConf {
    std::string type;
    std::string subnet;
    std::string assign_ipv4;  // "true" and "false" are texts there; anything but "false" is yes
    std::string assign_ipv6;  // anything but "true" is no
    std::vector<std::string> ipv4_pools;  // CIDRs or names
    std::vector<std::string> ipv6_pools;
};

struct PolicyConf {
    std::string type;  // "k8s": pods are read from Kubernetes
    std::string k8s_api_root;
    std::string k8s_auth_token;
    std::string k8s_client_certificate;
    std::string k8s_client_key;
    std::string k8s_certificate_authority;
};

struct KubernetesConf {
    std::string kubeconfig;
    std::string k8s_api_root;
    std::string node_name;  // for the node's pod CIDRs only
};

struct LogConf {
    std::string level;
    std::string file_path;           // empty: stderr only
    std::int64_t max_size_mb = 100;  // of the file, before it is rotated
    std::int64_t max_age_days = 30;  // of rotated files
    std::int64_t max_count = 10;     // of rotated files
};

enum class DeviceType : std::uint8_t { kVeth, kNetkit };

struct NetConf {
    std::string name;
    std::string mode;
    std::int64_t mtu = 0;  // bytes; 0: what /var/lib/calico/mtu says, else the kernel's default
    std::uint32_t num_queues = 1;
    DeviceType device_type = DeviceType::kVeth;
    std::string unknown_device_type;  // as given; ADD refuses it

    std::string nodename;
    std::string nodename_file = "/var/lib/calico/nodename";
    bool nodename_file_optional = false;
    std::string hostname;
    std::string ipam_lock_file = "/var/run/calico/ipam.lock";

    IpamConf ipam;
    PolicyConf policy;
    KubernetesConf kubernetes;
    LogConf log;

    bool ip_addrs_no_ipam = false;     // feature_control
    bool floating_ips = false;         // feature_control
    bool allow_ip_forwarding = false;  // container_settings
    bool include_default_routes = false;
    bool require_mtu_file = false;
    bool single_windows_network = false;  // calico-ipam: one block a node

    // dataplane_options.type as JSON, without quotes when it is a text; nullopt: not there.
    std::optional<std::string> dataplane_type;

    std::vector<std::string> readiness_gates;      // URLs
    std::chrono::seconds policy_setup_timeout{0};  // 0: no waiting
    std::string endpoint_status_dir = "/var/run/calico/endpoint-status";
    std::chrono::milliseconds datastore_timeout{90'000};
    std::chrono::milliseconds connect_timeout{10'000};

    std::string datastore_type;   // as given; empty: what the environment says
    StringPairs mesos_labels;     // args["org.apache.mesos"].network_info.labels
    StringPairs pod_annotations;  // capability io.kubernetes.cri.pod-annotations

    // What Calico exports to the environment before it opens the datastore, and what a delegated
    // IPAM inherits: DATASTORE_TYPE, ETCD_*, KUBECONFIG ... Only keys that were given.
    StringPairs datastore_environment;

    // Why no ADD can be made with it; empty: one can. DEL has to work.
    std::string unusable;
};

// Reads all of it; checks what is wrong whatever the verb and the store. The network's name was
// checked before (cni/skel).
// Errors: kInvalidInput "failed to load netconf: ..." in Go's words for a wrong type.
Result<NetConf> parse_netconf(const cni::Json &config);

}  // namespace tortie::calico_cni
