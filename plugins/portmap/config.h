// SPDX-License-Identifier: Apache-2.0
//
// portmap's part of the network configuration, completely checked: what comes out of here can be
// published without another look.
#pragma once

#include <optional>

#include "base/result.h"
#include "caps/decision.h"
#include "cni/result_types.h"
#include "cni/skel.h"
#include "datapath/port_mapper.h"

namespace tortie::portmap {

enum class Backend { kIptables, kNftables };

struct Config {
    Backend backend = Backend::kNftables;
    bool backend_given = false;  // named in the configuration: no falling back to the other one
    caps::Datapath datapath = caps::Datapath::kAuto;
    std::optional<cni::CniResult> previous;

    // Addresses are those of the container in `previous`, at most one a family.
    Publication publication;
};

// Reads and checks everything. The backend, when none is named, is iptables where only iptables
// can do what is asked (conditions in its words, externalSetMarkChain, markMasqBit), else nftables.
// Errors: kInvalidInput; the first one in the order, and with the texts, of the Go plugin. New are
// the refusals of ports above 65535, unknown protocols, bad addresses, datapaths and what cannot
// stand in a rule, which the Go plugin finds out with half of the rules made.
Result<Config> parse_config(const cni::Request &request);

// What DEL needs, from whatever can be read: the attachment always, the addresses when prevResult
// is sound.
Config salvage_config(const cni::Request &request);

}  // namespace tortie::portmap
