// SPDX-License-Identifier: Apache-2.0
//
// Which pools a request may be served from.
// Source: spec calico-ipam-datastore.md 2.5 "Eligible pools", 1.5, 2.7; calico-v3.32.1.md 8 row 5.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "store/documents.h"

namespace tortie::ipam {

// A pool that can be allocated from: enabled, its CIDR masked, its blocks of a possible size.
struct UsablePool {
    std::string name;
    Cidr cidr;
    unsigned block_prefix = 0;
    const store::Pool *document = nullptr;  // of the span it was made from

    Family family() const { return cidr.addr.family(); }
};

// The enabled pools of both families, in the order given. A pool whose CIDR or block size is
// impossible is left out with a warning that names it.
std::vector<UsablePool> usable_pools(std::span<const store::Pool> pools);

// The one that contains the address.
const UsablePool *pool_of(std::span<const UsablePool> pools, const IpAddr &ip);

// Errors: kInvalidInput for a selector that cannot be read.
Result<bool> selects_node(const UsablePool &pool, const kube::StringMap &node_labels);

// What a configured list of pools means: each entry a CIDR or the name of any pool, also of one
// that is disabled.
// Errors: kInvalidInput, `error parsing pool "x": invalid CIDR address: x`,
// `"192.0.2.0" isn't a IPv6 address`.
Result<std::vector<Cidr>> requested_pools(std::span<const std::string> entries, Family family,
                                          std::span<const store::Pool> pools);

struct PoolQuestion {
    Family family = Family::kIpv4;
    std::span<const Cidr> requested;  // not empty: these, in this order, selectors do not count
    const std::string *host = nullptr;
    const kube::StringMap *node_labels = nullptr;  // nullptr: not read, no selector needs them
    const kube::StringMap *namespace_labels = nullptr;
};

// True when an answer depends on the node's labels.
bool needs_node_labels(std::span<const UsablePool> pools, const PoolQuestion &question);

// What a request of intended use Workload may take from, in the order of preference.
// Errors: kNotFound with Calico's texts: `no configured Calico pools for node n`,
// `cannot find a qualified ippool`, `the given pool (192.0.2.0/24) does not exist, or is not
// enabled`, `cannot find a qualified ippool, no pools match the required use (Workload)`;
// kInvalidInput for a selector that cannot be read and for a list of the wrong family.
Result<std::vector<UsablePool>> eligible_pools(std::span<const UsablePool> pools,
                                               const PoolQuestion &question);

}  // namespace tortie::ipam
