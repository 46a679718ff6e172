// SPDX-License-Identifier: Apache-2.0
//
// The workload's endpoint in the datastore. Source: spec calico-cni.md 3.2 steps 7 and 14, 3.5 to
// 3.8, Q7, Q11.
#pragma once

#include <string>

#include "base/result.h"
#include "calico/add_facts.h"
#include "calico/call.h"
#include "calico/datastore.h"
#include "store/documents.h"

namespace tortie::calico_cni {

// What is known before there are addresses and a link. An endpoint that is there already keeps its
// name, and so the interface it was first made for.
// Errors: kInvalidInput, `error constructing WorkloadEndpoint name: ...`.
Result<store::Endpoint> new_endpoint(const Call &call, const AddFacts &facts,
                                     const std::string &host_ifname);

// Writes it, and before it the network's profile where that is missing. When an answer is lost the
// outcome is looked up.
// Errors: kConflict, kExists somebody else wrote it meanwhile; kTryAgain, also when the pod is
// another one by now.
Result<> store_endpoint(const Call &call, const Datastore &datastore, const AddFacts &facts,
                        const store::Endpoint &endpoint);

}  // namespace tortie::calico_cni
