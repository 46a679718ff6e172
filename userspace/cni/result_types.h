// SPDX-License-Identifier: Apache-2.0
//
// A CNI result as data, in the shape of 1.1.0. Older shapes exist only while they are read and
// written (result_codec).
// Source: CNI specification 1.1.0 section 5 (success); older versions of it for their shapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_addr.h"

namespace tortie::cni {

struct Interface {
    std::string name;
    std::string mac;
    std::int64_t mtu = 0;  // 0: not said
    std::string sandbox;
    std::string socket_path;
    std::string pci_id;
};

struct IpConfig {
    Cidr address;
    std::optional<IpAddr> gateway;
    std::optional<std::int64_t> interface;  // index into interfaces, as given: may be out of range
    std::string version = {};  // "4", "6": as 0.3.0 to 0.4.0 say it, for print_previous()
};

struct Route {
    Cidr dst;
    std::optional<IpAddr> gw;
    std::optional<std::int64_t> mtu;
    std::optional<std::int64_t> advmss;
    std::optional<std::int64_t> priority;
    std::optional<std::int64_t> table;
    std::optional<std::int64_t> scope;
};

struct Dns {
    std::vector<std::string> nameservers;
    std::string domain;
    std::vector<std::string> search;
    std::vector<std::string> options;
};

struct CniResult {
    std::vector<Interface> interfaces;
    std::vector<IpConfig> ips;
    std::vector<Route> routes;
    Dns dns;
};

}  // namespace tortie::cni
