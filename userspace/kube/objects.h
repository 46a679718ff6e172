// SPDX-License-Identifier: Apache-2.0
//
// What tortie reads of Kubernetes' own objects, as plain values. Absent text is empty, absent maps
// and lists are empty. Source: Kubernetes API core/v1, kubevirt.io/v1.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tortie::kube {

using StringMap = std::map<std::string, std::string>;

struct ObjectMeta {
    std::string name;
    std::string ns;
    std::string generate_name;
    std::string uid;
    std::string resource_version;
    std::string creation_timestamp;  // RFC 3339; empty: none
    std::string deletion_timestamp;  // RFC 3339; empty: not being deleted
    StringMap labels;
    StringMap annotations;
};

struct OwnerReference {
    std::string api_version;
    std::string kind;
    std::string name;
    std::string uid;
    bool controller = false;
};

// Of containers, then of init containers, in the order of the spec.
struct ContainerPort {
    std::string name;
    std::string protocol;  // as stored; empty means TCP
    std::int64_t container_port = 0;
    std::int64_t host_port = 0;
    std::string host_ip;
};

struct Pod {
    ObjectMeta meta;
    std::vector<OwnerReference> owners;
    std::string node_name;  // empty: not scheduled
    std::string service_account;
    bool host_network = false;
    std::string phase;
    std::string pod_ip;
    std::vector<std::string> pod_ips;
    std::vector<ContainerPort> ports;
};

struct Namespace {
    ObjectMeta meta;
};

struct Node {
    ObjectMeta meta;
    std::vector<std::string> pod_cidrs;
};

// A VirtualMachineInstance or a VirtualMachine: who it is, who owns it, whether it is going.
struct VirtualMachine {
    ObjectMeta meta;
    std::vector<OwnerReference> owners;
};

}  // namespace tortie::kube
