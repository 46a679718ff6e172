// SPDX-License-Identifier: Apache-2.0
//
// The Kubernetes API as Calico's datastore. The reads of a batch go out together, and so do the
// writes of one stage; there are no transactions. Nothing but get, list, create, update and delete
// is asked of the API server, and of pods a patch of their status: that is what Calico's role for
// its CNI plugin may do. (A node's annotations, which `calico-ipam -upgrade` writes, take the role
// of calico-node, as which it runs.)
//
// An endpoint is written into annotations of its pod's status (spec calico-cni.md 3.5), found by
// Endpoint::ns and ::pod. `expected.uid` makes sure that it is the same pod.
#pragma once

#include <memory>
#include <string>

#include "store/config.h"
#include "store/store.h"

namespace tortie::store {

// Where the answer to "which of Calico's API groups" is kept, in one small file a cluster, so that
// not every pod's ADD asks for it.
inline constexpr const char *kGroupCacheDir = "/run/tortie";

// Nothing is read or sent before the first read or commit; so it cannot fail.
std::unique_ptr<Store> open_kubernetes(const KubernetesSettings &settings, GetEnv get_env,
                                       std::string group_cache_dir = kGroupCacheDir);

}  // namespace tortie::store
