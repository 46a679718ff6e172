// SPDX-License-Identifier: Apache-2.0
//
// Publishes the container's ports on the node, as runtimeConfig.portMappings asks. Called behind
// the plugin that made the interface: the addresses come from its result.
//
// DEL, CHECK and GC look at both ways of publishing, whichever the configuration names now: it may
// have changed since ADD, or the Go plugin may have done the ADD.
#pragma once

#include "cni/skel.h"

namespace tortie::portmap {

// The ports are published and the answer is prevResult; or they are not, and nothing is left of
// the attempt but what is harmless and shared: the base chains, and route_localnet of the
// interface towards the container, which other containers there may rely on.
// Without mappings nothing at all is done.
cni::Answer add(const cni::Request &request);

// Nothing of the attachment is left. A configuration that cannot be used is no reason to fail.
cni::Answer del(const cni::Request &request);

// Fails with the first thing that is missing.
cni::Answer check(const cni::Request &request);

// Withdraws what belongs to attachments that the runtime no longer lists.
cni::Answer gc(const cni::Request &request);

// Code 50 when the backend that the configuration asks for cannot work on this node.
cni::Answer status(const cni::Request &request);

}  // namespace tortie::portmap
