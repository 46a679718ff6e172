// SPDX-License-Identifier: Apache-2.0
//
// Deleting entries of the kernel's connection tracking. An entry keeps sending a flow where its
// first packet was sent, whatever the rules say since; for UDP that means until the client is
// silent for half a minute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/ip_addr.h"
#include "base/result.h"

namespace tortie {

// A tracked flow. The reply's source is where packets to `destination` really go.
struct TrackedFlow {
    IpAddr source;
    IpAddr destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    IpAddr reply_source;
    std::uint16_t reply_source_port = 0;
};

struct FlowSelector {
    Family family = Family::kIpv4;
    std::uint8_t ip_protocol = 0;        // IANA number
    std::uint16_t destination_port = 0;  // of the original direction
};

// Deletes the entries of this network namespace that `selector` describes and `which` agrees to;
// returns how many. The kernel selects where it can (5.8) and everything is compared here again.
// Memory does not grow with the table. Entries that go by themselves meanwhile are no error.
// Errors: kUnsupported without nf_conntrack_netlink, kTryAgain when the table changed too fast to
// be read (some entries may be gone by then), kSystem.
Result<std::size_t> delete_flows(const FlowSelector &selector,
                                 const std::function<bool(const TrackedFlow &)> &which);

}  // namespace tortie
