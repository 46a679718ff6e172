// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cni/skel.h"

namespace tortie::calico_cni {

// The workload has addresses, a link to the node, and an endpoint that tells Felix of it; or the
// node and the datastore are as before. Source: spec calico-cni.md 3.1, 3.2, 3.8.
cni::Answer add(const cni::Request &request);

}  // namespace tortie::calico_cni
