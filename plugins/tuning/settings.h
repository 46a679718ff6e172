// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/mac_addr.h"

namespace tortie::tuning {

// Values of one interface and of its namespace: what somebody wants, or what was there before.
// What is absent is left alone.
struct Settings {
    std::map<std::string, std::string> sysctls;  // name below /proc/sys/net: value
    std::optional<MacAddr> mac;
    std::optional<bool> promisc;
    std::optional<std::uint32_t> mtu;  // bytes
    std::optional<bool> allmulti;
    std::optional<std::uint32_t> tx_queue_len;  // packets

    bool touches_link() const { return mac || promisc || mtu || allmulti || tx_queue_len; }
    bool empty() const { return sysctls.empty() && !touches_link(); }

    friend bool operator==(const Settings &, const Settings &) = default;
};

}  // namespace tortie::tuning
