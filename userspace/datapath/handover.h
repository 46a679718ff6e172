// SPDX-License-Identifier: Apache-2.0
//
// The way back: every host port that table `inet tortie` holds as rules of the Go plugin's, while
// packets flow. Its own DEL finds and removes them then.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "datapath/port_mapper.h"

namespace tortie {

struct Handover {
    std::size_t ports = 0;          // of containers that are the Go plugin's now
    std::vector<std::string> kept;  // "8080/tcp of podman 3f5c8a eth0: why it stays with us"
};

// Container by container, the one with the oldest port first, so that who holds a port stays the
// same: the rules are made, then our elements go. A container whose port has conditions in nft's
// words stays, since iptables has no words for them, and so does one whose name does not fit into
// our comments and is not in `known` (the runtime's attachments; may be empty).
// What a call that was killed has done is done; the next one goes on.
// Errors: those of `iptables`; containers before the one that failed are handed over.
Result<Handover> hand_over_host_ports(PortMapper &nftables, PortMapper &iptables,
                                      const std::vector<Attachment> &known);

// Removes table `inet tortie` with everything in it. Success when there is none, or no nf_tables.
Result<> remove_tortie_table();

// Every host port of the table, as people read it: "8080/tcp -> 10.0.0.2:80 of net 3f5c8a eth0".
Result<std::vector<std::string>> list_host_ports();

}  // namespace tortie
