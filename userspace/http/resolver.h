// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/ip_addr.h"
#include "base/result.h"

namespace tortie::http {

// The addresses of a name, by /etc/hosts and DNS as the node's files say, never by its NSS
// modules. At least one, IPv4 first. Errors: kTryAgain, "lookup NAME: no such host" and such.
Result<std::vector<IpAddr>> resolve(const std::string &name, Deadline deadline);

struct ServiceHost {
    std::string host;  // without a dot at the end
    std::uint16_t port = 0;
};

// The hosts of a service ("_etcd-client._tcp.example.org"), by the SRV records of DNS; those that
// are to be asked first come first. At least one. Errors: as resolve().
Result<std::vector<ServiceHost>> resolve_service(const std::string &name, Deadline deadline);

}  // namespace tortie::http
