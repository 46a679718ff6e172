// SPDX-License-Identifier: Apache-2.0
//
// Documents to and from the text that a datastore holds: JSON in three spellings. Go programs read
// and write the same documents, so what is written has exactly their fields and omissions; what
// they wrote, this year or in an old release, can be read; and what is hostile is refused.
// Source: spec calico-ipam-datastore.md 3.4, 3.5, 3.7 and 4, calico-cni.md 3.6 and 3.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/objects.h"
#include "store/documents.h"
#include "store/store.h"

namespace tortie::store {

enum class Spelling : std::uint8_t {
    kCrdV1,  // Kubernetes, crd.projectcalico.org/v1
    kCrdV3,  // Kubernetes, projectcalico.org/v3
    kEtcd,
};

// More than etcd and the API server take in one request (1.5 MiB each).
inline constexpr std::size_t kMaxDocumentBytes = 2UL << 20;

// A block's largest: pools have blocks of /20 and /116 at most (spec 2.1).
inline constexpr unsigned kMaxBlockBits = 12;

// The document of that key, and nothing else under its name. With Kubernetes the revision is read
// from the object, with etcd it is empty: it does not stand in the value.
// Errors: kInvalidInput, naming the document and the member; kUnsupported for kinds that have no
// document of their own in this spelling.
Result<Stored> decode(const Key &key, std::string_view text, Spelling spelling);

// One page of a Kubernetes list. Items that cannot be read are left out and logged.
struct Page {
    std::vector<Stored> items;
    std::string next;  // metadata.continue; empty: the last one
};

enum class ListKind : std::uint8_t { kBlocks, kAffinities, kHandles, kPools, kReservations };

// Errors: kInvalidInput when the whole is not a list.
Result<Page> decode_page(ListKind kind, std::string_view text, Spelling spelling);

// What to store. `expected` stands in a Kubernetes object as its resourceVersion, and as its uid
// when the document is a handle.
// Errors: kUnsupported as in decode().
Result<std::string> encode(const Document &document, Spelling spelling,
                           const Revision &expected = {});

// With etcd the client and not the server gives a new resource its UID and time of birth (RFC
// 3339). Sets both where the document has a place for them and does not have them yet.
void set_birth(Document &document, std::string_view uid, std::string_view timestamp);

// Takes the KubeVirt setting from the IPAMConfiguration resource, which beside
// /calico/ipam/v2/config has the say over it with etcd. Leaves `config` as it is when `text` is
// malformed.
void read_vm_persistence(IpamConfig &config, std::string_view text);

// A Kubernetes node as allocation sees it: labels of the annotation projectcalico.org/labels
// below Kubernetes' own (spec 2.14).
Node node_of(kube::Node node);

}  // namespace tortie::store
