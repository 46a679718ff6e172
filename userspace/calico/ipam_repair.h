// SPDX-License-Identifier: Apache-2.0
//
// `calico-ipam -check` and `-repair`: what does not agree in the datastore, and mending it.
#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "calico/ipam_site.h"
#include "ipam/check.h"
#include "store/store.h"

namespace tortie::calico {

struct CheckOptions {
    // Everybody who has an address has an endpoint: a document of this datastore, or, where
    // endpoints are pods, what the pod says that the address was given to. Then an address without
    // one is a leak.
    bool by_endpoints = false;
};

// Looks twice where something is found: on a node at work a finding may be a change under way.
// Only what is there both times is told.
Result<std::vector<ipam::Finding>> check_store(store::Store &store, const CheckOptions &options,
                                               Deadline deadline);

// True when mend() can do something about it.
bool can_mend(const ipam::Finding &finding);

// A leaked address is released by handle and sequence number, so that somebody who has got it
// meanwhile keeps it; the rest is ipam/check.h's.
// Errors: kTryAgain an address that is so young that its ADD may not be done; kUnsupported; those
// of the store.
Result<> mend(store::Store &store, const IpamSite &site, const ipam::Finding &finding,
              Deadline deadline);

}  // namespace tortie::calico
