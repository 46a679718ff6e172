// SPDX-License-Identifier: Apache-2.0
//
// Labels the affinities that this host's older Calico wrote without labels, so that a list by
// label finds them. Source: spec calico-ipam-datastore.md 2.12.
#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "store/store.h"

namespace tortie::ipam {

// Success when there was nothing to do; safe to run any number of times. Retries until the
// deadline, 100 ms and then twice as long each time.
// Errors: the last one of the store.
Result<void> upgrade_host(store::Store &store, const std::string &host, Deadline deadline);

// One round of it, for the affinities that could be labelled; empty when there were none, or when
// they could not be read.
std::vector<store::Held<store::Affinity>> adopt_unlabelled(store::Store &store,
                                                           const std::string &host,
                                                           Deadline deadline);

}  // namespace tortie::ipam
