// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cni/skel.h"

namespace tortie::calico_cni {

// Nothing of the container is left: its link, its endpoint, its addresses. Works without the
// container, without its namespace, without its pod, and any number of times. When the datastore
// cannot be reached the node's side is taken down, what remains is queued on the disk, and the
// answer is success; when it answers that it is not ready, DEL fails, as upstream's does.
// Source: spec calico-cni.md 3.9, 8 #4.
cni::Answer del(const cni::Request &request);

}  // namespace tortie::calico_cni
