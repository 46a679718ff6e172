// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tortie {

// The protocols whose ports can be published. IANA protocol numbers.
enum class Protocol : std::uint8_t { kTcp = 6, kUdp = 17, kSctp = 132 };

// "tcp", "udp", "sctp"; "?" for a number that is none of them, as the kernel may hold.
std::string_view name_of(Protocol protocol);

// In whatever case.
std::optional<Protocol> protocol_named(std::string_view name);

}  // namespace tortie
