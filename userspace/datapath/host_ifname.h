// SPDX-License-Identifier: Apache-2.0
//
// What the host side of a pod's link is called. Felix computes the same names and finds the link by
// them, so they are the same to the byte, also when the kernel then refuses one as too long.
// Source: the names of Calico's CNI plugin and of felix/calc.
#pragma once

#include <string>
#include <string_view>

namespace tortie {

// `prefixes` is the value of FELIX_INTERFACEPREFIX: the first of a list with commas counts, and
// "cali" when it is empty.
std::string host_ifname_prefix(std::string_view prefixes);

// `prefix` and eleven hexadecimal digits of a hash of both names.
std::string host_ifname_of_pod(std::string_view prefix, std::string_view pod_namespace,
                               std::string_view pod);

// For callers that are not Kubernetes: "cali" and the first eleven bytes of the container's id.
std::string host_ifname_of_container(std::string_view container_id);

}  // namespace tortie
