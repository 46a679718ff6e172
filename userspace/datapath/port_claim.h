// SPDX-License-Identifier: Apache-2.0
//
// A claim: one attachment wants one host port of one family to lead to it. Pure values and
// decisions; nftables_port_mapper.cc keeps them in nf_tables.
//
// Who wins is what the order of iptables rules gives, since that is what users know: the older
// claim. A claim to every address also covers later claims to one address; a claim to one address
// and a later one to every address live together. What lost waits, and gets its turn when the
// older one goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "datapath/port_mapper.h"

namespace tortie {

// Which sources are masqueraded on their way to the container.
struct MasqueradedSources {
    enum class Kind { kNone, kSubnet, kEvery };
    Kind kind = Kind::kNone;
    unsigned prefix = 0;  // of the container's subnet

    // One network for each prefix length: {the subnet, 127.0.0.0/8}, {0.0.0.0/0} or nothing.
    std::vector<Cidr> networks(const IpAddr &target) const;

    friend bool operator==(const MasqueradedSources &, const MasqueradedSources &) = default;
};

// Whose claim it is. The names are for people and may be cut; the keys are what is compared.
// The owner is the container's interface, so that neither a renamed network nor a second network
// of the container gets in the way.
struct ClaimOwner {
    std::string network;
    std::string container_id;
    std::string ifname;
    std::string key;          // 24 hexadecimal digits of (container id, interface)
    std::string network_key;  // 8 hexadecimal digits of the network's name

    static ClaimOwner of(const Attachment &attachment);

    // "podman 3f5c8a... eth0", for logs and errors.
    std::string to_string() const;

    friend bool operator==(const ClaimOwner &a, const ClaimOwner &b) { return a.key == b.key; }
};

struct PortClaim {
    Protocol protocol = Protocol::kTcp;
    std::uint16_t host_port = 0;
    std::optional<IpAddr> host_ip;  // absent: every address of the target's family
    IpAddr target;
    std::uint16_t target_port = 0;
    MasqueradedSources sources;
    ClaimOwner owner;
    std::uint32_t rank = 0;  // age: lower is older
    bool active = false;     // packets follow it; else it waits

    Family family() const { return target.family(); }
    PublishedPort published() const;

    // "8080/tcp", "10.0.0.1:8080/tcp", "[::1]:8080/tcp".
    std::string to_string() const;

    // The same packets, the same destination, the same owner.
    bool same_as(const PortClaim &other) const;

    // Same family, protocol, port, and every packet of `other` is one of this.
    bool covers(const PortClaim &other) const;
    bool same_port(const PortClaim &other) const;
};

// What the publication asks for: one claim a family and mapping that has an address of it. A
// claim that an earlier one of the same publication covers is left out. In the order given, rank
// and active not set.
std::vector<PortClaim> claims_of(const Publication &publication);

// The same as ports: what the kernel holds when all of them are active.
std::vector<PublishedPort> ports_of(const Publication &publication);

// Decides which claims packets follow: sets `active` on those that nothing older covers. What is
// active stays active.
void decide_active(std::vector<PortClaim> &claims);

// A claim's owner, age and sources as the comment of its map element: all that DEL, CHECK and GC
// need, readable in `nft list ruleset`, at most 127 bytes for names of any length:
//   podman 3f5c8a eth0 <key><network key> <rank> snat=/16
std::string claim_comment(const PortClaim &claim);
// The first part of it: who.
std::string owner_comment(const ClaimOwner &owner);

struct ClaimNote {
    ClaimOwner owner;
    std::uint32_t rank = 0;
    MasqueradedSources sources;
};

// nullopt: not written by us.
std::optional<ClaimNote> parse_claim_comment(std::string_view comment);

}  // namespace tortie
