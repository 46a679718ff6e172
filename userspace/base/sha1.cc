// SPDX-License-Identifier: Apache-2.0
#include "base/sha1.h"

#include <bit>
#include <cstddef>

namespace tortie {
namespace {

using State = std::array<std::uint32_t, 5>;

// FIPS 180-4 section 5.3.1.
constexpr State kInitial = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

constexpr std::size_t kBlockBytes = 64;

struct Round {
    std::uint32_t mixed;     // section 4.1.1
    std::uint32_t constant;  // section 4.2.1
};

Round round_at(std::size_t t, std::uint32_t x, std::uint32_t y, std::uint32_t z)
{
    if (t < 20)
        return {(x & y) ^ (~x & z), 0x5a827999};
    if (t < 40)
        return {x ^ y ^ z, 0x6ed9eba1};
    if (t < 60)
        return {(x & y) ^ (x & z) ^ (y & z), 0x8f1bbcdc};
    return {x ^ y ^ z, 0xca62c1d6};
}

// Section 6.1.2, with the names of the standard.
void compress(State &hash, const std::uint8_t *block)
{
    std::array<std::uint32_t, 80> w{};
    for (std::size_t t = 0; t < 16; ++t) {
        for (std::size_t i = 0; i < 4; ++i)
            w[t] = w[t] << 8 | block[4 * t + i];
    }
    for (std::size_t t = 16; t < 80; ++t)
        w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

    auto [a, b, c, d, e] = hash;
    for (std::size_t t = 0; t < 80; ++t) {
        const Round round = round_at(t, b, c, d);
        const std::uint32_t sum = std::rotl(a, 5) + round.mixed + e + round.constant + w[t];
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = sum;
    }
    const State add = {a, b, c, d, e};
    for (std::size_t i = 0; i < hash.size(); ++i)
        hash[i] += add[i];
}

// Section 5.1.1: a one bit, zeros, the length in bits as 64 bits.
std::string padded(std::string_view data)
{
    std::string text(data);
    text += '\x80';
    while (text.size() % kBlockBytes != kBlockBytes - 8)
        text += '\0';
    const std::uint64_t bits = std::uint64_t{data.size()} * 8;
    for (int shift = 56; shift >= 0; shift -= 8)
        text += static_cast<char>(bits >> shift & 0xff);
    return text;
}

}  // namespace

std::array<std::uint8_t, 20> sha1(std::string_view data)
{
    State hash = kInitial;
    const std::string text = padded(data);
    for (std::size_t at = 0; at < text.size(); at += kBlockBytes)
        compress(hash, reinterpret_cast<const std::uint8_t *>(text.data()) + at);

    std::array<std::uint8_t, 20> digest{};
    for (std::size_t i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<std::uint8_t>(hash[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

std::string sha1_hex(std::string_view data, std::size_t digits)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (const std::uint8_t byte : sha1(data)) {
        hex += kDigits[byte >> 4];
        hex += kDigits[byte & 0xf];
    }
    return hex.substr(0, digits);
}

}  // namespace tortie
