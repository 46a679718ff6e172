// SPDX-License-Identifier: Apache-2.0
//
// The embedded datastore outlives a reboot, the pods of its node do not: what they held is
// released before the first address is given out afterwards. With a cluster's datastore that is
// the runtime's and kube-controllers' business, and nothing here is called.
//
// How a reboot is noticed: the kernel's boot id stands in a file beside the datastore. Another id
// there means that nothing of before lives; no file means that nobody knows, and nothing is
// released. /run would not do: it can be emptied while pods live.
#pragma once

#include "base/deadline.h"
#include "base/result.h"
#include "calico/ipam_site.h"
#include "store/store.h"

namespace tortie::calico {

// Afterwards the boot is the recorded one, and what containers of this node got in an earlier one
// is released: their addresses and their endpoints. Tunnels, machines and other nodes keep theirs.
// Nothing to do where site.boot_file is empty, and twice in a boot.
// Errors: those of the store; then no address may be given out.
Result<> release_after_reboot(store::Store &store, const IpamSite &site, Deadline deadline);

}  // namespace tortie::calico
