// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cni/skel.h"

namespace tortie::calico_cni {

constexpr std::string_view kCalicoIpam = "calico-ipam";
constexpr std::string_view kHostLocal = "host-local";
constexpr std::string_view kAzureIpam = "azure-vnet-ipam";

// True when addresses are taken in this process: calico-ipam is asked for, and what CNI_PATH has
// under that name is this very program (the same file, or a copy of it), or nothing at all. A
// calico-ipam of somebody else is run as a program: whoever put it there wants it.
bool ipam_is_ours(std::string_view type, const cni::Request &request);

}  // namespace tortie::calico_cni
