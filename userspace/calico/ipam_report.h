// SPDX-License-Identifier: Apache-2.0
//
// Who has which address, for a person: `calico-ipam -show`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/ip_addr.h"
#include "base/result.h"
#include "store/store.h"

namespace tortie::calico {

struct PoolUsage {
    std::string name;
    std::string cidr;
    std::string state;          // "enabled", "disabled", "deleting", "not allocatable", "invalid"
    std::uint64_t blocks = 0;   // cut from it so far
    std::uint64_t used = 0;     // addresses held
    std::uint64_t cooling = 0;  // released, not free yet
    std::string addresses;      // how many it has, "2^80" where a number would say nothing
};

struct BlockUsage {
    std::string cidr;
    std::string affinity;  // "host:node-a"; empty: nobody's
    std::uint64_t used = 0;
    std::uint64_t size = 0;
};

struct AddressUse {
    std::string ip;
    std::string node;
    std::string owner;  // "shop/cart-7d9", "tunnel vxlanTunnelAddress", "container <id>", "cooling"
    std::string handle;
    std::string since;
};

struct IpamReport {
    std::vector<PoolUsage> pools;
    std::vector<BlockUsage> blocks;
    std::vector<AddressUse> addresses;  // IPv4 before IPv6, by value
    std::size_t waiting_releases = 0;   // of this node's queue; set by the caller
};

Result<IpamReport> ipam_report(store::Store &store, Deadline deadline);

// Tables in columns, with a newline at the end; or one JSON object.
std::string report_text(const IpamReport &report);
std::string report_json(const IpamReport &report);

}  // namespace tortie::calico
