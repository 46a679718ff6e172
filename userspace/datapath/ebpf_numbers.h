// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "datapath/ebpf_node.h"

namespace tortie {

// What the programs of the port mapping are and do on this node, in numbers.
struct EbpfNumbers {
    // Devices that should have a program of ours, and the names of those that have not.
    struct Devices {
        std::size_t all = 0;
        std::vector<std::string> bare;
    };
    struct Flows {
        std::size_t now = 0;
        std::size_t limit = 0;  // most that the table can hold
    };
    Devices uplinks;
    Devices pods;  // without those that wait for a later call to attach theirs
    Flows ipv4;
    Flows ipv6;
    std::array<std::uint64_t, TORTIE_PM_COUNT_END> counts{};  // by enum pm_count
};

// Reads only; costs a walk over the flow tables. Call it in the node's network namespace.
Result<EbpfNumbers> read_ebpf_numbers(EbpfNode &node);

}  // namespace tortie
