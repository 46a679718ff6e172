// SPDX-License-Identifier: Apache-2.0
//
// Allocation of addresses as Calico does it: from blocks that are affine to this host, from new
// ones, from other hosts' when nothing is left. Pure over a store; the caller holds the host-wide
// lock or does not: correctness rests on compare-and-swap.
//
// Several requests are served together: one write of a block serves all that get an address from
// it, each with a handle and a record of its own. A process that holds the lock can so allocate
// for all that wait.
// Source: spec calico-ipam-datastore.md 2.5 to 2.8, calico-v3.32.1.md 7.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "ipam/hint.h"
#include "ipam/view.h"
#include "store/store.h"

namespace tortie::ipam {

struct Request {
    std::string handle;           // "k8s-pod-network.<container id>"
    store::StringMap attributes;  // node, timestamp, pod, namespace, ...
    unsigned num4 = 0;            // both 0: nothing wanted, nothing done
    unsigned num6 = 0;
    std::vector<std::string> pools4;  // CIDRs or names; empty: by selectors
    std::vector<std::string> pools6;
    std::optional<IpAddr> specific;     // this one; num4, num6 and the lists do not count then
    unsigned max_per_handle = 0;        // addresses of one family a handle may have; 0: any
    unsigned max_blocks = 0;            // limit of the request beside the configured one; 0: none
    store::StringMap namespace_labels;  // of the pod's namespace
};

struct Address {
    IpAddr ip;
    unsigned prefix = 0;  // of the result: the block's; 32 or 128 for a specific or re-used one
    Cidr block;
    std::int64_t sequence = 0;  // what a release of just this allocation must give

    friend bool operator==(const Address &, const Address &) = default;
};

struct FamilyAnswer {
    unsigned requested = 0;
    unsigned assigned = 0;              // may be less; then nothing of it was kept
    std::vector<Address> addresses;     // requested many, or none
    std::vector<std::string> messages;  // why fewer, in Calico's words

    bool complete() const { return assigned >= requested; }
};

struct Answer {
    FamilyAnswer v4;
    FamilyAnswer v6;

    bool complete() const { return v4.complete() && v6.complete(); }
};

// "Assigned 0 out of 1 requested IPv4 addresses; No IPs available in pools: [10.0.0.0/24]".
std::string shortage(const FamilyAnswer &answer, Family family);

// One answer for each request, in their order. An answer that is not complete, and an error, mean
// that the request left nothing behind: what it had got in the other family is released, its
// handle is as before. A process that dies meanwhile leaves at most what DEL of the handle cleans.
//
// `hint` is used and brought up to date.
// Errors of one request: Calico's texts; kNotFound no pool, kExists the specific address is taken,
// kInvalidInput configuration, kTryAgain the store, or too many others wanted the same.
std::vector<Result<Answer>> assign(store::Store &store, const std::string &host, View view,
                                   std::span<const Request> requests, Hint &hint,
                                   Deadline deadline);

}  // namespace tortie::ipam
