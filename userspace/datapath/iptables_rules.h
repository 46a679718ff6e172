// SPDX-License-Identifier: Apache-2.0
//
// The chains and rules of the Go portmap plugin in table nat, as iptables-save prints them. Names,
// order and words are a contract: a node upgraded or downgraded in place is cleaned up by the
// other plugin, which finds rules by comparing them.
// Source: containernetworking/plugins v1.9.1, plugins/meta/portmap, compared byte for byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "datapath/port_mapper.h"

namespace tortie {

inline constexpr std::string_view kTopDnatChain = "CNI-HOSTPORT-DNAT";
inline constexpr std::string_view kTopSnatChain = "CNI-HOSTPORT-SNAT";  // before 0.8 only
inline constexpr std::string_view kSetMarkChain = "CNI-HOSTPORT-SETMARK";
inline constexpr std::string_view kMasqChain = "CNI-HOSTPORT-MASQ";

// The shared jumps; none is ever removed, because other containers' rules hang on them.
inline constexpr std::string_view kJumpToTopDnat =
    "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT";
inline constexpr std::string_view kJumpToMasq =
    "-m comment --comment \"CNI portfwd requiring masquerade\" -j CNI-HOSTPORT-MASQ";

// The chain of a container: CNI-DN- and 21 digits of SHA-512 of network and container id.
std::string dnat_chain_of(const Attachment &attachment);

// What versions before 0.8 made beside it.
std::string old_snat_chain_of(const Attachment &attachment);

// The quoted comment of a container's jumps, as it stands in a rule.
std::string jump_comment(const Attachment &attachment);

// The name and id that the comment of a jump carries; empty when it is not one of ours. A comment
// is cut at 255 bytes: then `complete` is false and the id is empty or only its beginning.
// Views into `comment`, which is without quotes around it.
struct CommentedJump {
    std::string_view network;
    std::string_view container_id;
    bool complete = false;
};
CommentedJump read_jump_comment(std::string_view comment);

// Whether kSetMarkChain and kMasqChain are needed at all.
bool needs_own_mark(const PortPolicy &policy);

// The one rule of kSetMarkChain and of kMasqChain.
std::string set_mark_rule(unsigned mark_masq_bit);
std::string masq_rule(unsigned mark_masq_bit);

// The rules of a container's chain for its address `cidr`, without repetitions: a mapping whose
// hostIP is of the other family has none.
std::vector<std::string> container_rules(const Publication &publication, const Cidr &cidr);

// The jumps to it from kTopDnatChain: one for each spelling of a protocol and 15 ports.
// Errors: kInvalidInput for conditions that cannot be written.
Result<std::vector<std::string>> container_jumps(const Publication &publication, Family family);

// What a DNAT rule of a container's chain publishes; nullopt for every other rule.
std::optional<PublishedPort> published_by(std::string_view rule);

}  // namespace tortie
