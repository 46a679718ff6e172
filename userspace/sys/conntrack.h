// SPDX-License-Identifier: Apache-2.0
//
// Entries of the kernel's connection tracking. One keeps sending a flow where its first packet was
// sent, whatever the rules say since; for UDP that means until the client is silent for half a
// minute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

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

// Makes conntrack take every packet of these TCP flows (original tuples) for valid, whatever its
// sequence number: it has not seen all of them, because somebody carried them past it. Without that
// it neither translates nor passes on a packet outside the window that it remembers.
// Returns how many there were; those that are gone are no error.
// Errors: kUnsupported without nf_conntrack_netlink, kSystem.
// Source: IP_CT_TCP_FLAG_BE_LIBERAL, which nf_flowtable sets when it takes a flow.
Result<std::size_t> accept_any_window(std::span<const TrackedFlow> flows);

// The same for every TCP flow of this network namespace whose destination was translated.
Result<std::size_t> accept_any_window_of_translated();

}  // namespace tortie
