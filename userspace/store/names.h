// SPDX-License-Identifier: Apache-2.0
//
// What Calico's documents are called: object names and labels with Kubernetes, keys with etcd. A
// name that differs by one character is another document, and two nodes then share an address.
// Source: spec calico-ipam-datastore.md 3.3, 3.7.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "store/store.h"

namespace tortie::store {

// "10-0-0-0-26", "fd80-24e2---122": the canonical text with '.', ':' and '/' as '-'.
std::string cidr_name(const Cidr &cidr);

// The same way back. nullopt: not a name that cidr_name() gives.
std::optional<Cidr> cidr_from_name(std::string_view name);

// "node-a-10-0-0-0-26"; long ones (253 and more) are cut and end in a hash.
std::string affinity_name(std::string_view host, const Cidr &cidr);

// Base32 of SHA3-256: a label's value is at most 63 characters, a node's name may be longer.
std::string hostname_hash(std::string_view host);

// The three labels that every affinity carries on every write, or lists do not find it.
StringMap affinity_labels(const Affinity &affinity);

// A handle's ID as two of them are compared: Windows nodes write "<id>\r\neth0".
std::string_view handle_id_of(std::string_view stored);

// "block 10.0.0.0/26", "handle net.c1": for messages.
std::string describe(const Key &key);

// What a document is found by. Of a VirtualMachine, the key as a VM.
Key key_of(const Document &document);

// metadata.name of its object.
std::string kube_name(const Key &key);

// The key of a document with etcd.
// Errors: kUnsupported for Kubernetes' own objects. kInvalidInput for a name that is empty or holds
// a slash or a control character: it would be a key of something else, or one that no list finds.
Result<std::string> etcd_key(const Key &key);

// The same way back; nullopt for keys that are not of a document of ours.
std::optional<Key> key_from_etcd(std::string_view text);

// Keys of the documents of a list begin with one of these, those of other documents may, too.
// Errors: as etcd_key().
Result<std::string> etcd_prefix(const Query &list);

// The KubeVirt setting has a key of its own with etcd, beside the rest of the configuration.
inline constexpr std::string_view kEtcdIpamConfiguration =
    "/calico/resources/v3/projectcalico.org/ipamconfigurations/default";

}  // namespace tortie::store
