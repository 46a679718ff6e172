// SPDX-License-Identifier: Apache-2.0
//
// Addresses that belong to a KubeVirt machine and not to one of its pods: they outlive the pod,
// and during a live migration two pods have them. The block's record says which pod is the active
// owner and which the alternate one.
// Source: spec calico-ipam-datastore.md 1.8, 2.11; calico-peers.md 3.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "calico/ipam_call.h"
#include "kube/objects.h"
#include "store/store.h"

namespace tortie::calico {

// A pod that runs a VirtualMachineInstance.
struct VmPod {
    std::string ns;
    std::string pod;
    std::string vmi_name;
    std::string vmi_uid;
    std::string vm_uid;         // empty: the instance stands alone
    std::string migration_uid;  // not empty: target of a live migration
    bool going = false;         // the machine (or the instance that stands alone) is being deleted

    bool is_target() const { return !migration_uid.empty(); }
};

// By its name; whether it is one the API tells.
bool may_be_vm(std::string_view pod);

// nullopt: an ordinary pod, or one that is treated like that because persistence is off.
// Errors: `failed to get VMI info: ...`; a migration target while persistence is off.
Result<std::optional<VmPod>> vm_for_add(store::Store &store, const std::string &ns,
                                        const std::string &pod,
                                        const std::optional<kube::Pod> &pod_read,
                                        Deadline deadline);

// What stands beside an address for its machine.
kube::StringMap vm_attributes(const VmPod &vm);

// The addresses of the machine, with this pod as their owner; nullopt when it has none and this is
// no migration target: then they are to be allocated.
// Errors: `migration target pod but no IP allocated to VM handle h`, `failed to get existing IPs
// for VM handle h: ...`, those of the store.
Result<std::optional<Assigned>> take_over(store::Store &store, const VmPod &vm,
                                          const std::string &handle,
                                          const kube::StringMap &attributes, Deadline deadline);

// Afterwards this pod is no owner, and the addresses of a machine that is being deleted and has no
// owner left are released. Success also when there was nothing, when the pod or the instance is
// gone, and the second time.
Result<> let_go(store::Store &store, const std::string &node, const std::string &network,
                const std::string &ns, const std::string &pod,
                const std::optional<kube::Pod> &pod_read, Deadline deadline);

}  // namespace tortie::calico
