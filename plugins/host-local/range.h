// SPDX-License-Identifier: Apache-2.0
//
// Ranges of addresses as values, and the order in which they are tried. Pure: no files here.
//
// A range set gives one address; a network with two sets gives each interface two. Texts are
// those of the Go plugin, which users grep.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"

namespace tortie::host_local {

// What a configuration says, before the defaults.
struct RangeConfig {
    std::optional<Cidr> subnet;
    bool subnet_is_mapped = false;  // IPv4 in the notation of IPv6: refused
    std::optional<IpAddr> start;
    std::optional<IpAddr> end;
    std::optional<IpAddr> gateway;
};

// Both ends inclusive, one family, inside the subnet, start <= end.
struct Range {
    Cidr subnet;
    IpAddr start;
    IpAddr end;
    IpAddr gateway;  // never handed out; may lie outside the subnet

    bool contains(const IpAddr &ip) const
    {
        return ip.family() == start.family() && start <= ip && ip <= end;
    }
    bool overlaps(const Range &other) const;
    std::string to_string() const;  // "10.0.0.1-10.0.0.254"
};

// Not empty, one family, no two ranges overlap.
class RangeSet {
public:
    // Fills in defaults: gateway and start are the network's first address, end is the last one,
    // for IPv4 the one before the broadcast address. Errors: kInvalidInput with the reason.
    static Result<RangeSet> from(const std::vector<RangeConfig> &configs);

    const std::vector<Range> &ranges() const { return ranges_; }
    Family family() const { return ranges_.front().start.family(); }

    // The range that `ip` lies in, nullptr when there is none. Valid as long as the set.
    const Range *range_of(const IpAddr &ip) const;
    bool overlaps(const RangeSet &other) const;
    std::string to_string() const;  // ranges joined by commas

private:
    explicit RangeSet(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}

    std::vector<Range> ranges_;
};

// A run of candidates, both ends inclusive, and the one address in it that is never given.
struct Span {
    IpAddr first;
    IpAddr last;
    IpAddr gateway;
};

// Every address of the set once, in the order of round robin: from the one after `last_reserved`
// to the end of its range, the next ranges, round to `last_reserved` itself. From the start when
// there is no `last_reserved` or it lies outside the set (the ranges may have been renumbered).
std::vector<Span> search_order(const RangeSet &set, const std::optional<IpAddr> &last_reserved);

}  // namespace tortie::host_local
