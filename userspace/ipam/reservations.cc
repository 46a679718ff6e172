// SPDX-License-Identifier: Apache-2.0
#include "ipam/reservations.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/strings.h"
#include "ipam/block_space.h"

namespace tortie::ipam {
namespace {

std::optional<Cidr> entry_of(std::string_view text)
{
    if (const auto ip = IpAddr::parse(text))
        return Cidr{*ip, width_bits(ip->family())};
    auto cidr = Cidr::parse(text);
    if (cidr)
        cidr->addr = cidr->network();
    return cidr;
}

}  // namespace

Reservations::Reservations(std::span<const store::Reservation> reservations)
{
    for (const store::Reservation &reservation : reservations) {
        for (const std::string &text : reservation.cidrs) {
            const auto entry = entry_of(trim(text));
            if (entry)
                cidrs_.push_back(*entry);
            else if (!text.empty())
                log::warn("Ignoring malformed CIDR in IPReservation.",
                          {{"reservation", reservation.name}, {"cidr", text}});
        }
    }
    // What lies inside another one adds nothing; without it no address is counted twice.
    std::sort(cidrs_.begin(), cidrs_.end(), [](const Cidr &a, const Cidr &b) {
        return a.prefix != b.prefix ? a.prefix < b.prefix : a.addr < b.addr;
    });
    std::vector<Cidr> kept;
    for (const Cidr &each : cidrs_) {
        if (std::none_of(kept.begin(), kept.end(),
                         [&](const Cidr &wide) { return covers(wide, each); }))
            kept.push_back(each);
    }
    cidrs_ = std::move(kept);
}

bool Reservations::contains(const IpAddr &ip) const
{
    return std::any_of(cidrs_.begin(), cidrs_.end(), [&](const Cidr &c) { return c.contains(ip); });
}

std::uint32_t Reservations::reserved_in(const Cidr &block) const
{
    std::uint32_t reserved = 0;
    for (const Cidr &each : cidrs_) {
        if (covers(each, block))
            return block_addresses(block);
        if (covers(block, each))
            reserved += 1U << (width_bits(each.addr.family()) - each.prefix);
    }
    return reserved;
}

bool Reservations::covers_whole(const Cidr &block) const
{
    return reserved_in(block) == block_addresses(block);
}

std::optional<Cidr> Reservations::around(const Cidr &block) const
{
    for (const Cidr &each : cidrs_) {
        if (covers(each, block))
            return each;
    }
    return std::nullopt;
}

}  // namespace tortie::ipam
