// SPDX-License-Identifier: Apache-2.0
//
// The verbs that look or tidy up; add.h and del.h have the others.
// Source: CNI 1.1.0 section 4; spec calico-cni.md 8 #5, #6, Q5.
#pragma once

#include "cni/skel.h"

namespace tortie::calico_cni {

// The node and the datastore are as the result of ADD (prevResult) says: the link with its
// addresses and routes, the endpoint of this container, the addresses' handle. Fails with the first
// difference; changes nothing.
cni::Answer check(const cni::Request &request);

// Releases what this node's containers hold on the network that the runtime no longer lists, and
// what earlier DELs have queued. Without a list it only does the latter.
cni::Answer gc(const cni::Request &request);

// Code 50 when an ADD would fail for the datastore: it cannot be reached, is not ready, or the node
// has no name yet.
cni::Answer status(const cni::Request &request);

}  // namespace tortie::calico_cni
