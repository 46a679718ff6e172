// SPDX-License-Identifier: Apache-2.0
//
// Calico's documents as values, the same for every store. Each backend has its own spelling
// (field names, where the identifier stands, what is left out when empty); the codecs know it.
//
// Whatever a document holds that is not named here travels in `Unknown` and is written back:
// a later release's field must survive our update of the document.
// Source: spec calico-ipam-datastore.md 3.3 to 3.7 and 4, calico-cni.md 3.5 to 3.7.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ip_addr.h"
#include "kube/objects.h"

namespace tortie::store {

using kube::StringMap;

// Opaque to everyone but the codecs: JSON text of the members nobody here knows; empty for none.
struct Unknown {
    std::string spec;      // an object
    std::string metadata;  // an object: labels, finalizers, owner references of others
    std::string beside;    // an object: what stands beside metadata and spec, such as status

    friend bool operator==(const Unknown &, const Unknown &) = default;
};

// Who holds an address. nullopt and an empty map are different on the wire.
struct Attribute {
    std::optional<std::string> handle_id;  // as stored; compare after handle_id_of()
    std::optional<StringMap> secondary;    // the active owner
    std::optional<StringMap> alternate;    // the other side of a live migration
    std::string released_at;               // RFC 3339; set: cooling down, neither free nor owned
    std::string unknown;                   // as Unknown::spec

    friend bool operator==(const Attribute &, const Attribute &) = default;
};

// One block of a pool. allocations.size() == addresses of `cidr`; codecs refuse anything else, and
// ordinals in `unallocated` that are out of range or repeated. An index in `allocations` may lie
// beyond `attributes` (written by a broken peer): it means "held by nobody known".
struct Block {
    Cidr cidr;               // masked
    std::string affinity;    // "host:<node>", "virtual:<name>"; empty: none
    std::string claim_time;  // RFC 3339, seconds, UTC; empty: none or old
    std::vector<std::optional<std::uint32_t>> allocations;  // ordinal -> index into attributes
    std::vector<std::uint32_t> unallocated;                 // free ordinals, next one first
    std::vector<Attribute> attributes;
    std::int64_t sequence_number = 0;                               // +1 with every write
    std::map<std::uint32_t, std::int64_t> sequence_for_allocation;  // ordinal -> number read then
    bool deleted = false;
    Unknown unknown;
};

enum class AffinityType : std::uint8_t { kHost, kVirtual };

// kConfirmed is also what documents older than the field mean. kOther: a word we do not know;
// nothing may be allocated on it.
enum class AffinityState : std::uint8_t { kConfirmed, kPending, kPendingDeletion, kOther };

struct Affinity {
    AffinityType type = AffinityType::kHost;
    std::string host;
    Cidr cidr;  // masked
    AffinityState state = AffinityState::kPending;
    bool deleted = false;
    Unknown unknown;
};

struct Handle {
    std::string id;                              // case kept
    std::map<std::string, std::int64_t> blocks;  // canonical CIDR text -> addresses in it
    bool deleted = false;
    Unknown unknown;
};

// The defaults are what a missing object means.
struct IpamConfig {
    bool strict_affinity = false;
    bool auto_allocate_blocks = true;
    std::int64_t max_blocks_per_host = 0;  // 0: not set
    bool persist_vm_addresses = true;      // always said when written
    std::int64_t ip_cooldown_s = 0;
    Unknown unknown;
};

struct Pool {
    std::string name;
    std::string cidr;             // as stored: may be unmasked or nonsense, the reader judges
    std::int64_t block_size = 0;  // 0: the family's default
    bool disabled = false;
    bool deleting = false;                  // has a deletionTimestamp
    bool allocatable = true;                // no condition Allocatable=False
    std::string node_selector;              // empty: all()
    std::string namespace_selector;         // empty: everything
    std::vector<std::string> allowed_uses;  // empty: Workload and Tunnel
    bool manual = false;                    // assignmentMode: Manual
    Unknown unknown;                        // modes, NAT, BGP: not ours
};

struct Reservation {
    std::string name;
    std::vector<std::string> cidrs;  // as stored, any text
    Unknown unknown;
};

// Of a Kubernetes node the labels are merged as spec 2.14 says: Kubernetes' own win.
struct Node {
    std::string name;
    StringMap labels;
    StringMap annotations;               // Kubernetes only
    std::vector<std::string> pod_cidrs;  // Kubernetes only
    Unknown unknown;
};

struct ClusterInformation {
    std::optional<bool> datastore_ready;  // nullopt: not said, which means not ready
    Unknown unknown;
};

struct EndpointPort {
    std::string name;
    std::string protocol;  // "TCP", "UDP", "SCTP"
    std::uint16_t port = 0;
    std::uint16_t host_port = 0;
    std::string host_ip;
};

struct EndpointNat {
    std::string internal_ip;
    std::string external_ip;
};

// A WorkloadEndpoint. With Kubernetes it has no document of its own: it lives in annotations of
// the pod's status (spec calico-cni.md 3.5) and only container_id and ip_networks are stored.
struct Endpoint {
    std::string ns;
    std::string name;
    std::string generate_name;
    std::string uid;
    std::string creation_timestamp;
    StringMap labels;
    StringMap annotations;
    std::string orchestrator;
    std::string workload;
    std::string node;
    std::string container_id;
    std::string pod;
    std::string endpoint;  // the interface's name
    std::string service_account;
    std::vector<std::string> ip_networks;  // "10.0.0.1/32"
    std::vector<EndpointNat> ip_nats;
    std::string ipv4_gateway;
    std::string ipv6_gateway;
    std::vector<std::string> profiles;
    std::string interface_name;  // on the host
    std::string mac;
    std::vector<EndpointPort> ports;
    std::vector<std::string> allow_spoofed_source_prefixes;
    std::string qos_controls;  // JSON object; empty: none
    Unknown unknown;
};

// Only its existence and how it is created matter to us (spec calico-cni.md 3.7).
struct Profile {
    std::string name;
    std::string spec;  // JSON object
    Unknown unknown;
};

using Document =
    std::variant<Block, Affinity, Handle, IpamConfig, Pool, Reservation, Node, ClusterInformation,
                 Endpoint, Profile, kube::Pod, kube::Namespace, kube::VirtualMachine>;

}  // namespace tortie::store
