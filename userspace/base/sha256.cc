// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <bit>
#include <cstddef>
#include <string>

namespace tortie {
namespace {

using State = std::array<std::uint32_t, 8>;

// FIPS 180-4 section 5.3.3: square roots of the first eight primes.
constexpr State kInitial = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

// FIPS 180-4 section 4.2.2: cube roots of the first sixty-four primes.
constexpr std::array<std::uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

constexpr std::size_t kBlockBytes = 64;

// FIPS 180-4 section 6.2.2, with the names of the standard.
void compress(State &hash, const std::uint8_t *block)
{
    std::array<std::uint32_t, 64> w{};
    for (std::size_t t = 0; t < 16; ++t) {
        for (std::size_t i = 0; i < 4; ++i)
            w[t] = w[t] << 8 | block[4 * t + i];
    }
    for (std::size_t t = 16; t < 64; ++t) {
        const std::uint32_t x = w[t - 15];
        const std::uint32_t y = w[t - 2];
        const std::uint32_t sigma0 = std::rotr(x, 7) ^ std::rotr(x, 18) ^ (x >> 3);
        const std::uint32_t sigma1 = std::rotr(y, 17) ^ std::rotr(y, 19) ^ (y >> 10);
        w[t] = sigma1 + w[t - 7] + sigma0 + w[t - 16];
    }

    auto [a, b, c, d, e, f, g, h] = hash;
    for (std::size_t t = 0; t < 64; ++t) {
        const std::uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const std::uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const std::uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + kRound[t] + w[t];
        const std::uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    const State add = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < hash.size(); ++i)
        hash[i] += add[i];
}

// FIPS 180-4 section 5.1.1: a one bit, zeros, the length in bits.
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

using Lanes = std::array<std::uint64_t, 25>;  // A[x, y] is lanes[x + 5 * y]

// FIPS 202 section 3.2.5, iota.
constexpr std::array<std::uint64_t, 24> kIota = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

void theta(Lanes &lanes)
{
    std::array<std::uint64_t, 5> columns{};
    for (std::size_t i = 0; i < lanes.size(); ++i)
        columns[i % 5] ^= lanes[i];
    for (std::size_t i = 0; i < lanes.size(); ++i)
        lanes[i] ^= columns[(i + 4) % 5] ^ std::rotl(columns[(i + 1) % 5], 1);
}

// rho and pi in one walk: the lane at (x, y) goes, rotated, to (y, 2x + 3y).
void rho_and_pi(Lanes &lanes)
{
    std::size_t x = 1;
    std::size_t y = 0;
    std::uint64_t moving = lanes[x];
    int offset = 0;
    for (int t = 1; t <= 24; ++t) {
        offset = (offset + t) % 64;
        const std::size_t next = (2 * x + 3 * y) % 5;
        x = y;
        y = next;
        std::swap(moving, lanes[x + 5 * y]);
        lanes[x + 5 * y] = std::rotl(lanes[x + 5 * y], offset);
    }
}

void chi(Lanes &lanes)
{
    for (std::size_t row = 0; row < lanes.size(); row += 5) {
        const std::array<std::uint64_t, 5> old = {lanes[row], lanes[row + 1], lanes[row + 2],
                                                  lanes[row + 3], lanes[row + 4]};
        for (std::size_t x = 0; x < 5; ++x)
            lanes[row + x] = old[x] ^ (~old[(x + 1) % 5] & old[(x + 2) % 5]);
    }
}

void keccak(Lanes &lanes)
{
    for (const std::uint64_t constant : kIota) {
        theta(lanes);
        rho_and_pi(lanes);
        chi(lanes);
        lanes[0] ^= constant;
    }
}

}  // namespace

std::array<std::uint8_t, 32> sha256(std::string_view data)
{
    State hash = kInitial;
    const std::string text = padded(data);
    for (std::size_t at = 0; at < text.size(); at += kBlockBytes)
        compress(hash, reinterpret_cast<const std::uint8_t *>(text.data()) + at);

    std::array<std::uint8_t, 32> digest{};
    for (std::size_t i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<std::uint8_t>(hash[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

std::array<std::uint8_t, 32> sha3_256(std::string_view data)
{
    constexpr std::size_t kRate = 136;  // bytes; FIPS 202 table 3
    Lanes lanes{};
    const auto absorb = [&lanes](std::size_t at, unsigned char byte) {
        lanes[at / 8] ^= std::uint64_t{byte} << (8 * (at % 8));
    };
    std::size_t at = 0;
    for (const char c : data) {
        absorb(at, static_cast<unsigned char>(c));
        if (++at == kRate) {
            keccak(lanes);
            at = 0;
        }
    }
    absorb(at, 0x06);  // the suffix of SHA-3 and the first bit of the padding
    absorb(kRate - 1, 0x80);
    keccak(lanes);

    std::array<std::uint8_t, 32> digest{};
    for (std::size_t i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<std::uint8_t>(lanes[i / 8] >> (8 * (i % 8)));
    return digest;
}

}  // namespace tortie
