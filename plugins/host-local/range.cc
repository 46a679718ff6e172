// SPDX-License-Identifier: Apache-2.0
#include "host-local/range.h"

#include <algorithm>

namespace tortie::host_local {
namespace {

tl::unexpected<Error> refuse(std::string reason)
{
    return fail(ErrorKind::kInvalidInput, std::move(reason));
}

IpAddr default_end(const Cidr &subnet)
{
    const IpAddr last = subnet.addr.last_in(subnet.prefix);
    return last.family() == Family::kIpv4 ? last.previous() : last;
}

Result<Range> complete(const RangeConfig &config)
{
    if (!config.subnet)
        return refuse("IP <nil> not v4 nor v6");
    const Cidr &subnet = *config.subnet;
    if (subnet.prefix > width_bits(subnet.addr.family()) - 2)
        return refuse("Network " + subnet.to_string() + " too small to allocate from");
    if (config.subnet_is_mapped)
        return refuse("IPNet IP and Mask version mismatch");
    if (subnet.addr != subnet.network())
        return refuse("Network has host bits set. For a subnet mask of length " +
                      std::to_string(subnet.prefix) + " the network address is " +
                      subnet.network().to_string());

    Range range{.subnet = subnet,
                .start = config.start.value_or(subnet.addr.next()),
                .end = {},
                .gateway = config.gateway.value_or(subnet.addr.next())};
    // Upstream's default end lies before a start that is the broadcast address, and allocation
    // then runs on past the subnet. Here such a range holds that one address.
    range.end = config.end.value_or(std::max(default_end(subnet), range.start));

    // A start beyond the end is told as the start's fault, even when the end is outside.
    const bool beyond_end =
        config.end && config.end->family() == range.start.family() && range.start > *config.end;
    if (!subnet.contains(range.start) || beyond_end)
        return refuse("RangeStart " + range.start.to_string() + " not in network " +
                      subnet.to_string());
    if (!subnet.contains(range.end))
        return refuse("RangeEnd " + range.end.to_string() + " not in network " +
                      subnet.to_string());
    return range;
}

}  // namespace

bool Range::overlaps(const Range &other) const
{
    return start.family() == other.start.family() && start <= other.end && other.start <= end;
}

std::string Range::to_string() const
{
    return start.to_string() + '-' + end.to_string();
}

Result<RangeSet> RangeSet::from(const std::vector<RangeConfig> &configs)
{
    if (configs.empty())
        return refuse("empty range set");
    std::vector<Range> ranges;
    for (const RangeConfig &config : configs) {
        TORTIE_TRY(Range range, complete(config));
        if (!ranges.empty() && ranges.front().start.family() != range.start.family())
            return refuse("mixed address families");
        ranges.push_back(range);
    }
    for (auto a = ranges.begin(); a != ranges.end(); ++a) {
        const auto b =
            std::find_if(a + 1, ranges.end(), [&](const Range &r) { return a->overlaps(r); });
        if (b != ranges.end())
            return refuse("subnets " + a->to_string() + " and " + b->to_string() + " overlap");
    }
    return RangeSet(std::move(ranges));
}

const Range *RangeSet::range_of(const IpAddr &ip) const
{
    const auto found = std::find_if(ranges_.begin(), ranges_.end(),
                                    [&](const Range &range) { return range.contains(ip); });
    return found == ranges_.end() ? nullptr : &*found;
}

bool RangeSet::overlaps(const RangeSet &other) const
{
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range &mine) {
        return std::any_of(other.ranges_.begin(), other.ranges_.end(),
                           [&](const Range &theirs) { return mine.overlaps(theirs); });
    });
}

std::string RangeSet::to_string() const
{
    std::string text;
    for (const Range &range : ranges_)
        text += (text.empty() ? "" : ",") + range.to_string();
    return text;
}

std::vector<Span> search_order(const RangeSet &set, const std::optional<IpAddr> &last_reserved)
{
    const std::vector<Range> &ranges = set.ranges();
    const Range *current = last_reserved ? set.range_of(*last_reserved) : nullptr;
    const std::size_t at =
        current != nullptr ? static_cast<std::size_t>(current - ranges.data()) : 0;

    std::vector<Span> spans;
    if (current != nullptr && *last_reserved != current->end)
        spans.push_back({last_reserved->next(), current->end, current->gateway});
    if (current == nullptr)
        spans.push_back({ranges[0].start, ranges[0].end, ranges[0].gateway});
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        const Range &range = ranges[(at + i) % ranges.size()];
        spans.push_back({range.start, range.end, range.gateway});
    }
    if (current != nullptr)
        spans.push_back({current->start, *last_reserved, current->gateway});
    return spans;
}

}  // namespace tortie::host_local
