// SPDX-License-Identifier: Apache-2.0
//
// Calico's resources as people write them, in YAML or JSON, and how they get into a datastore:
// IPPool, IPReservation, IPAMConfig (IPAMConfiguration), ClusterInformation and Node, of
// projectcalico.org/v3 or crd.projectcalico.org/v1.
//
// They are judged as calicoctl and Calico's CRDs judge them, before anything is written: a pool
// that is wrong would cost every pod of the cluster its address.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "store/store.h"

namespace tortie::calico {

struct Resource {
    std::string kind;
    std::string name;
    store::Key key;
    store::Document document;
};

// All resources of a file; a List is what is in it.
// Errors: kInvalidInput, naming document, member and reason.
Result<std::vector<Resource>> read_manifest(std::string_view text);

struct Applied {
    std::string resource;              // "IPPool/lab-v4"
    std::string outcome;               // "created", "configured", "unchanged"
    std::vector<std::string> changes;  // "spec.disabled: absent -> true"
};

// Writes what differs from the datastore, in order, each by compare-and-swap. The second time
// everything is unchanged.
// Errors: kInvalidInput, before anything is written: a CIDR or block size that would change, a
// pool that overlaps another one, a Node where nodes are Kubernetes' own; those of the store:
// what was written before stays.
Result<std::vector<Applied>> apply(store::Store &store, std::vector<Resource> resources,
                                   Deadline deadline);

}  // namespace tortie::calico
