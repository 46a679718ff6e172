// SPDX-License-Identifier: Apache-2.0
//
// Whose an address is while it stays: a virtual machine keeps its addresses over pods that come
// and go, and during a live migration an address has two owners.
// Source: spec calico-ipam-datastore.md 1.8, 2.8, 2.11; calico-v3.32.1.md 7 rows 11 and 12.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "store/store.h"

namespace tortie::ipam {

struct OwnedAddress {
    IpAddr ip;
    Cidr block;
    std::optional<store::StringMap> active;     // `secondary`; an empty map is no owner
    std::optional<store::StringMap> alternate;  // `alternateOwnerAttrs`
};

// In the order of the blocks' texts, IPv4 before IPv6, then by address; a handle can have several
// of a family.
// Errors: kNotFound no document of this handle, or none of its blocks holds an address of it.
Result<std::vector<OwnedAddress>> addresses_of_handle(store::Store &store,
                                                      const std::string &handle, Deadline deadline);

struct PodName {
    std::string ns;
    std::string name;
};

// True when the attributes name this pod.
bool is_owned_by(const std::optional<store::StringMap> &attributes, const PodName &pod);

// Absent members change and demand nothing.
struct OwnerUpdate {
    std::optional<store::StringMap> active;  // set
    std::optional<store::StringMap> alternate;
    bool clear_active = false;
    bool clear_alternate = false;

    std::optional<PodName> expected_active;  // must be the owner now
    std::optional<PodName> expected_alternate;
    bool verify_active_empty = false;
    bool verify_alternate_empty = false;
};

// All of the update or nothing. `block` spares a read of the pools when it is known. Addresses
// that share one record in the block change together, as with Calico.
// Errors, in Calico's words: kInvalidInput contradiction in the update, `IP x is not assigned to
// handle h`, `the provided IP address x is not in a configured pool`; kConflict a precondition does
// not hold; kNotFound the address is not assigned; kTryAgain.
Result<void> set_owner_attributes(store::Store &store, const IpAddr &ip,
                                  const std::optional<Cidr> &block, const std::string &handle,
                                  const OwnerUpdate &update, Deadline deadline);

}  // namespace tortie::ipam
