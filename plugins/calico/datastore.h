// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "calico/ipam_site.h"
#include "calico/netconf.h"
#include "store/store.h"

namespace tortie::calico_cni {

// The datastore that a configuration and the environment mean.
struct Datastore {
    std::unique_ptr<store::Store> store;
    calico::IpamSite site;
    // With etcd: where Kubernetes' own nodes are, which are not Calico's there. Part of `store`.
    store::Store *cluster = nullptr;
    bool local = false;  // no cluster: what is known of a pod comes from the runtime
};

// Opens nothing on the network. Errors: kInvalidInput.
Result<Datastore> open_datastore(const NetConf &conf, const std::string &node);

constexpr const char *kNotReady = "Calico is currently not ready to process requests";

// What the first query of ADD and DEL came back with: Calico works, or says why not.
// Errors: `error getting ClusterInformation: ...`; kTryAgain with kNotReady.
Result<> require_ready(store::Found found);

}  // namespace tortie::calico_cni
