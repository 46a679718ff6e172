// SPDX-License-Identifier: Apache-2.0
//
// The verbs of calico-ipam. Source: spec calico-ipam-datastore.md 1.5, 1.6, 8.2.
#pragma once

#include "cni/skel.h"

namespace tortie::calico_cni {

// The addresses that the configuration asks for, or nothing is left behind.
cni::Answer ipam_add(const cni::Request &request);

// Afterwards the container holds nothing. While the datastore is away the release is kept for
// later, and DEL succeeds.
cni::Answer ipam_del(const cni::Request &request);

// The container holds the addresses of prevResult.
cni::Answer ipam_check(const cni::Request &request);

// Releases what containers hold that the runtime no longer lists, and what earlier DELs have kept
// for later. Without a list it only does the latter.
cni::Answer ipam_gc(const cni::Request &request);

// Code 50 when the datastore cannot be read.
cni::Answer ipam_status(const cni::Request &request);

}  // namespace tortie::calico_cni
