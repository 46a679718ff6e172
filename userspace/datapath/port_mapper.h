// SPDX-License-Identifier: Apache-2.0
//
// Publishing a container's ports on the node. Three implementations: iptables, nf_tables and (on
// top of one of them) eBPF. A PortMapper owns nothing but what it writes into the kernel, and
// finds it there again: there is no file beside the rules that could disagree with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "datapath/protocol.h"

namespace tortie {

struct PortMapping {
    std::uint16_t host_port = 0;       // 1 to 65535
    std::uint16_t container_port = 0;  // 1 to 65535
    Protocol protocol = Protocol::kTcp;
    std::string protocol_text;      // as configured ("TCP"): iptables' rules carry it
    std::optional<IpAddr> host_ip;  // as configured; 0.0.0.0 and :: mean every address of their
                                    // own family, absent means every address of both
};

// Whose ports they are. `network` and `container_id` are checked against the CNI expression
// ^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$ and may be of any length.
struct Attachment {
    std::string network;
    std::string container_id;
    std::string ifname;
};

// How packets to the ports are masqueraded and which are looked at at all.
struct PortPolicy {
    bool snat = true;                     // masquerade 127.0.0.0/8 and the container's own subnet
    bool masq_all = false;                // masquerade every source
    unsigned mark_masq_bit = 13;          // iptables only
    std::string external_set_mark_chain;  // iptables only; empty: our own chain
    std::vector<std::string> conditions_v4;  // iptables arguments or nft words
    std::vector<std::string> conditions_v6;
};

struct Publication {
    Attachment attachment;
    std::vector<Cidr> addresses;  // at most one a family, with the prefix of the pod's network
    std::vector<PortMapping> mappings;
    PortPolicy policy;
};

// One host port as the kernel holds it, and where packets to it go: what a caller needs to find
// exactly its conntrack entries.
struct PublishedPort {
    Protocol protocol = Protocol::kTcp;
    std::optional<IpAddr> host_ip;  // absent: every local address of the target's family
    std::uint16_t host_port = 0;
    IpAddr target;
    std::uint16_t target_port = 0;

    friend bool operator==(const PublishedPort &, const PublishedPort &) = default;
};

class PortMapper {
public:
    virtual ~PortMapper() = default;

    // Afterwards every mapping is published for each family that has an address; what this
    // attachment had published before is replaced. A host port that another attachment already
    // holds stays with it until it is withdrawn (a warning names the holder); those holders'
    // ports are returned.
    // On failure nothing of this attachment is published.
    // Errors: kUnsupported when this kernel or node cannot; another mapper may.
    virtual Result<std::vector<PublishedPort>> publish(const Publication &publication) = 0;

    // Errors: kNotFound naming the first thing that is missing.
    virtual Result<> check(const Publication &publication) = 0;

    // Removes what the attachment published, whatever `publication.mappings` says: they only make
    // it quicker. Success when there is nothing, when the tools or tables are missing, and twice.
    // Returns what was removed.
    virtual Result<std::vector<PublishedPort>> withdraw(const Publication &publication) = 0;

    // Withdraws every attachment of `network` that is not in `valid`. Returns what was removed.
    virtual Result<std::vector<PublishedPort>> collect_garbage(
        const std::string &network, const std::vector<Attachment> &valid) = 0;
};

}  // namespace tortie
