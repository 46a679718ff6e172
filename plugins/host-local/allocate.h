// SPDX-License-Identifier: Apache-2.0
//
// Which address a range set gives. Errors are the Go plugin's texts, without the number of the
// range set, which the caller knows.
#pragma once

#include "base/ip_addr.h"
#include "base/result.h"
#include "host-local/range.h"
#include "host-local/reservations.h"

namespace tortie::host_local {

// The next free address in the order of round robin, reserved. An attachment that already holds
// an address of the set gets no second one. When all are taken, that is said only after every
// file was looked at. Errors: kInvalidInput, kSystem; nothing is reserved then.
Result<IpAddr> allocate_next(Reservations &reservations, const RangeSet &set,
                             std::size_t set_number, const Attachment &attachment);

// `ip`, which lies in the set, reserved. Errors: kInvalidInput when somebody has it, be it the
// same attachment, or when it is the gateway; kSystem.
Result<IpAddr> allocate_requested(Reservations &reservations, const RangeSet &set, const IpAddr &ip,
                                  const Attachment &attachment);

// nullopt when every address of the set is taken, after a look at every file.
Result<std::optional<IpAddr>> find_free(Reservations &reservations, const RangeSet &set);

// "no IP addresses available in range set: 10.1.0.1-10.1.0.254"
std::string exhausted_text(const RangeSet &set);

}  // namespace tortie::host_local
