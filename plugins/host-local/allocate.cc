// SPDX-License-Identifier: Apache-2.0
#include "host-local/allocate.h"

#include <optional>
#include <string>
#include <vector>

namespace tortie::host_local {
namespace {

// The first address of the span that looks free.
Result<std::optional<IpAddr>> free_in(Reservations &reservations, const Span &span)
{
    TORTIE_TRY(const auto free, reservations.first_free(span.first, span.last));
    if (!free || *free != span.gateway)
        return free;
    if (*free == span.last)
        return std::nullopt;
    return reservations.first_free(free->next(), span.last);
}

// The first address of the spans that is free, reserved; nullopt when there is none, or when one
// that should have been free was not, because the index is wrong.
Result<std::optional<IpAddr>> reserve_first(Reservations &reservations,
                                            const std::vector<Span> &spans,
                                            const Attachment &attachment)
{
    for (const Span &span : spans) {
        for (;;) {
            TORTIE_TRY(const auto ip, free_in(reservations, span));
            if (!ip)
                break;
            TORTIE_TRY(const bool reserved, reservations.reserve(*ip, attachment));
            if (reserved)
                return ip;
            if (!reservations.exact())
                return std::nullopt;
            // Somebody made the file without taking the lock. The index has learned it now.
        }
    }
    return std::nullopt;
}

Result<> refuse_second_address(Reservations &reservations, const RangeSet &set,
                               const Attachment &attachment)
{
    TORTIE_TRY(const auto held, reservations.held_by(attachment));
    for (const IpAddr &ip : held) {
        if (set.range_of(ip) != nullptr)
            return fail(ErrorKind::kInvalidInput, ip.to_string() + " has been allocated to " +
                                                      attachment.container_id +
                                                      ", duplicate allocation is not allowed");
    }
    return {};
}

}  // namespace

std::string exhausted_text(const RangeSet &set)
{
    return "no IP addresses available in range set: " + set.to_string();
}

Result<IpAddr> allocate_next(Reservations &reservations, const RangeSet &set,
                             std::size_t set_number, const Attachment &attachment)
{
    const auto spans = search_order(set, reservations.last_reserved(set_number));
    TORTIE_DO(refuse_second_address(reservations, set, attachment));
    TORTIE_TRY(auto ip, reserve_first(reservations, spans, attachment));
    if (!ip && !reservations.exact()) {
        TORTIE_DO(reservations.rescan());
        TORTIE_DO(refuse_second_address(reservations, set, attachment));
        TORTIE_TRY(ip, reserve_first(reservations, spans, attachment));
    }
    if (!ip)
        return fail(ErrorKind::kInvalidInput, exhausted_text(set));
    return *ip;
}

Result<IpAddr> allocate_requested(Reservations &reservations, const RangeSet &set, const IpAddr &ip,
                                  const Attachment &attachment)
{
    const Range *range = set.range_of(ip);
    if (range != nullptr && ip == range->gateway)
        return fail(ErrorKind::kInvalidInput,
                    "requested ip " + ip.to_string() + " is subnet's gateway");
    TORTIE_TRY(const bool reserved, reservations.reserve(ip, attachment));
    if (!reserved)
        return fail(ErrorKind::kInvalidInput, "requested IP address " + ip.to_string() +
                                                  " is not available in range set " +
                                                  set.to_string());
    return ip;
}

Result<std::optional<IpAddr>> find_free(Reservations &reservations, const RangeSet &set)
{
    for (;;) {
        for (const Span &span : search_order(set, std::nullopt)) {
            TORTIE_TRY(const auto ip, free_in(reservations, span));
            if (ip)
                return ip;
        }
        if (reservations.exact())
            return std::nullopt;
        TORTIE_DO(reservations.rescan());
    }
}

}  // namespace tortie::host_local
