// SPDX-License-Identifier: Apache-2.0
#include "ipam/block_space.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>

namespace tortie::ipam {
namespace {

// splitmix64: every seed gives a well-spread sequence, also seeds that differ in one bit.
std::uint64_t next_random(std::uint64_t &state)
{
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
}

// The bits of `ip` up to `prefix`, the rest from `other`.
IpAddr splice(const IpAddr &ip, unsigned prefix, std::span<const std::uint8_t> other)
{
    std::array<std::uint8_t, 16> bytes{};
    const auto base = ip.bytes_be();
    for (std::size_t i = 0; i < base.size(); ++i) {
        const unsigned kept =
            std::min(8U, prefix > 8 * i ? prefix - static_cast<unsigned>(8 * i) : 0);
        const auto mask = static_cast<std::uint8_t>(0xff00U >> kept);
        bytes[i] = static_cast<std::uint8_t>((base[i] & mask) | (other[i] & ~mask));
    }
    return IpAddr::from_bytes({bytes.data(), base.size()});
}

}  // namespace

bool is_block_prefix(Family family, unsigned prefix)
{
    const unsigned width = width_bits(family);
    return prefix <= width && prefix >= width - 12;
}

bool is_block(const Cidr &cidr)
{
    return is_block_prefix(cidr.addr.family(), cidr.prefix) && cidr.addr == cidr.network();
}

std::uint32_t block_addresses(const Cidr &block)
{
    assert(is_block_prefix(block.addr.family(), block.prefix));
    return 1U << (width_bits(block.addr.family()) - block.prefix);
}

std::optional<std::uint32_t> ordinal_of(const Cidr &block, const IpAddr &ip)
{
    if (!block.contains(ip))
        return std::nullopt;
    // A block has at most 12 bits of its own: they lie in the last two bytes.
    const auto bytes = ip.bytes_be();
    const std::uint32_t low = static_cast<std::uint32_t>(bytes[bytes.size() - 2]) << 8U |
                              static_cast<std::uint32_t>(bytes[bytes.size() - 1]);
    return low & (block_addresses(block) - 1);
}

IpAddr address_at(const Cidr &block, std::uint32_t ordinal)
{
    assert(ordinal < block_addresses(block));
    std::array<std::uint8_t, 16> bytes{};
    const IpAddr network = block.network();
    const auto base = network.bytes_be();
    std::copy(base.begin(), base.end(), bytes.begin());
    bytes[base.size() - 2] |= static_cast<std::uint8_t>(ordinal >> 8U);
    bytes[base.size() - 1] |= static_cast<std::uint8_t>(ordinal & 0xffU);
    return IpAddr::from_bytes({bytes.data(), base.size()});
}

Cidr block_around(const IpAddr &ip, unsigned block_prefix)
{
    return {ip.first_in(block_prefix), block_prefix};
}

bool covers(const Cidr &outer, const Cidr &inner)
{
    return outer.prefix <= inner.prefix && outer.contains(inner.addr);
}

BlockWalk::BlockWalk(const Cidr &pool, unsigned block_prefix, const Cidr &start)
    : pool_{pool.network(), pool.prefix},
      start_(block_around(start.addr, block_prefix)),
      at_(start_)
{
    ended_ = block_prefix < pool.prefix || !pool_.contains(start_.addr);
}

std::optional<Cidr> BlockWalk::next()
{
    if (ended_)
        return std::nullopt;
    const Cidr block = at_;
    first_ = block == start_;
    const IpAddr last = block.addr.last_in(block.prefix);
    at_.addr = last == pool_.addr.last_in(pool_.prefix) ? pool_.addr : last.next();
    ended_ = at_ == start_;
    return block;
}

void BlockWalk::skip(const Cidr &range)
{
    if (covers(range, pool_))
        ended_ = true;
    if (ended_)
        return;
    const IpAddr last = range.addr.last_in(range.prefix);
    at_.addr = last == pool_.addr.last_in(pool_.prefix) ? pool_.addr : last.next();
    const bool around = range.contains(start_.addr);
    ended_ = at_ == start_ || (around && !first_);
    if (around)
        start_ = at_;
}

std::uint32_t fnv1_32(std::string_view text)
{
    std::uint32_t hash = 2166136261U;
    for (const char c : text) {
        hash *= 16777619U;
        hash ^= static_cast<std::uint8_t>(c);
    }
    return hash;
}

Cidr start_block(const Cidr &pool, unsigned block_prefix, std::string_view host)
{
    std::uint64_t state = fnv1_32(host);
    if (block_prefix == width_bits(pool.addr.family())) {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        state ^= static_cast<std::uint64_t>(now.count()) << 20U;
    }
    std::array<std::uint8_t, 16> random{};
    for (std::size_t i = 0; i < random.size(); i += 8) {
        const std::uint64_t word = next_random(state);
        for (std::size_t j = 0; j < 8; ++j)
            random[i + j] = static_cast<std::uint8_t>(word >> (8 * j));
    }
    return block_around(splice(pool.network(), pool.prefix, random), block_prefix);
}

}  // namespace tortie::ipam
