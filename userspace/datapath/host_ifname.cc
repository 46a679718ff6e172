// SPDX-License-Identifier: Apache-2.0
#include "datapath/host_ifname.h"

#include "base/sha1.h"

namespace tortie {
namespace {

constexpr std::string_view kDefaultPrefix = "cali";

// With the default prefix of four, what fits into the kernel's 15 characters.
constexpr std::size_t kIdChars = 11;

}  // namespace

std::string host_ifname_prefix(std::string_view prefixes)
{
    return std::string(prefixes.empty() ? kDefaultPrefix : prefixes.substr(0, prefixes.find(',')));
}

std::string host_ifname_of_pod(std::string_view prefix, std::string_view pod_namespace,
                               std::string_view pod)
{
    const std::string name = std::string(pod_namespace) + '.' + std::string(pod);
    return std::string(prefix) + sha1_hex(name, kIdChars);
}

std::string host_ifname_of_container(std::string_view container_id)
{
    return std::string(kDefaultPrefix) + std::string(container_id.substr(0, kIdChars));
}

}  // namespace tortie
