// SPDX-License-Identifier: Apache-2.0
//
// The verbs of host-local: addresses from ranges of the configuration, remembered in files on the
// node. The network namespace is not touched and need not exist.
#pragma once

#include "cni/skel.h"

namespace tortie::host_local {

// One address of every range set, or none at all.
cni::Answer add(const cni::Request &request);

// Removes what the attachment holds, whatever the rest of the configuration looks like; success
// when it holds nothing.
cni::Answer del(const cni::Request &request);

// Success when the attachment holds an address.
cni::Answer check(const cni::Request &request);

// Releases what is held by attachments that the runtime does not list.
cni::Answer gc(const cni::Request &request);

// Ready, even when a range is exhausted: containerd asks before it calls the node ready, and pods
// that end would free addresses. ipam.statusFailsWhenExhausted makes it code 50.
cni::Answer status(const cni::Request &request);

}  // namespace tortie::host_local
