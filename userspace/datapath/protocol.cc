// SPDX-License-Identifier: Apache-2.0
#include "datapath/protocol.h"

#include "base/strings.h"

namespace tortie {

std::string_view name_of(Protocol protocol)
{
    switch (protocol) {
    case Protocol::kTcp:
        return "tcp";
    case Protocol::kUdp:
        return "udp";
    case Protocol::kSctp:
        return "sctp";
    }
    return "?";
}

std::optional<Protocol> protocol_named(std::string_view name)
{
    for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp})
        if (equals_ignore_case(name, name_of(protocol)))
            return protocol;
    return std::nullopt;
}

}  // namespace tortie
