// SPDX-License-Identifier: Apache-2.0
//
// How a pool is cut into blocks and a block into addresses: pure arithmetic on CIDRs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ip_addr.h"

namespace tortie::ipam {

// Largest block Calico can make: /20 and /116. Source: spec calico-ipam-datastore.md 2.1.
inline constexpr std::uint32_t kMaxBlockAddresses = 4096;

constexpr unsigned default_block_prefix(Family family)
{
    return family == Family::kIpv4 ? 26 : 122;
}

// /20 to /32 and /116 to /128.
bool is_block_prefix(Family family, unsigned prefix);

// Masked, of a size a block can have.
bool is_block(const Cidr &cidr);

// By value of the first address, then by prefix: an order for maps.
struct CidrLess {
    bool operator()(const Cidr &a, const Cidr &b) const
    {
        return a.addr != b.addr ? a.addr < b.addr : a.prefix < b.prefix;
    }
};

// How many addresses a block of at most kMaxBlockAddresses holds.
std::uint32_t block_addresses(const Cidr &block);

// nullopt when it lies outside.
std::optional<std::uint32_t> ordinal_of(const Cidr &block, const IpAddr &ip);

// `ordinal` < block_addresses(block).
IpAddr address_at(const Cidr &block, std::uint32_t ordinal);

// The block of `pool` that the address lies in.
Cidr block_around(const IpAddr &ip, unsigned block_prefix);

// True when every address of `inner` is one of `outer`.
bool covers(const Cidr &outer, const Cidr &inner);

// Every block of a pool once: from the start to the end of the pool, then from its beginning.
// `pool` is masked and not smaller than a block.
class BlockWalk {
public:
    BlockWalk(const Cidr &pool, unsigned block_prefix, const Cidr &start);

    // nullopt after the last one.
    std::optional<Cidr> next();

    // Leaves out what follows inside `range`, in which the latest block lies: a pool can have more
    // blocks than anybody can step through.
    void skip(const Cidr &range);

private:
    Cidr pool_;
    Cidr start_;
    Cidr at_;
    bool first_ = true;  // the latest block is the one the walk began with
    bool ended_ = false;
};

// FNV-1 (multiply, then xor), 32 bits.
std::uint32_t fnv1_32(std::string_view text);

// Where a host begins to look for blocks in a pool. Always the same for a host, so that its
// concurrent requests meet at one new block; far apart for different hosts. For pools of
// one-address blocks it is different with every call, as with Calico: there the next call of a
// host wants another block.
//
// Calico draws the place from Go's math/rand, seeded by the same hash. Ours is another generator:
// a host's first block may lie elsewhere than Calico would have put it, which is free choice (spec
// calico-ipam-datastore.md 2.6); processes of one host are kept apart by the host-wide lock.
Cidr start_block(const Cidr &pool, unsigned block_prefix, std::string_view host);

}  // namespace tortie::ipam
