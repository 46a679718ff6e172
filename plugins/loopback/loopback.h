// SPDX-License-Identifier: Apache-2.0
//
// Brings up `lo` of the pod. CNI_IFNAME is of no consequence, and so is everything in the
// configuration but prevResult; CNI_ARGS is not looked at.
#pragma once

#include "cni/skel.h"

namespace tortie::loopback {

// lo is up afterwards, however often. The answer is prevResult when there is one, else lo with its
// first loopback address of each family. Other addresses on lo (a VIP of the pod) are left alone
// and warned about.
cni::Answer add(const cni::Request &request);

// lo is down, or its namespace gone.
cni::Answer del(const cni::Request &request);

// Fails with "loopback interface is down".
cni::Answer check(const cni::Request &request);

}  // namespace tortie::loopback
