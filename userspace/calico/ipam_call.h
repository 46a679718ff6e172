// SPDX-License-Identifier: Apache-2.0
//
// Addresses for a container, from Calico's IPAM, in this process: what `calico` does when its IPAM
// is calico-ipam, and what `calico-ipam` is.
//
//   AddressCall call(site);                           tries to lead; does not block
//   queries = mine + call.queries();                  none when another process of this node leads
//   found = store.read(queries, deadline);
//   call.take_view(found behind mine);
//   TORTIE_TRY(const Assigned got, call.assign(store, request, deadline));
//   ScopeExit undo([&] { give_back(store, site, got, ...); });
//
// The first process of those that start together leads: it reads pools and blocks beside its own
// reads and then allocates for all that wait (combining.h), with one write a block. So whoever
// gets no queries from here must not read IPAM documents ahead: they would be read for nothing.
//
// The host-wide lock (host_lock.h) is held only from the block's read to its write.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "calico/combining.h"
#include "calico/ipam_site.h"
#include "ipam/allocator.h"
#include "kube/objects.h"
#include "store/store.h"

namespace tortie::calico {

struct VmPod;  // vm_persistence.h

struct AddressRequest {
    std::string network;
    std::string container_id;
    std::string ns;   // of the pod; empty when there is none
    std::string pod;  // empty: a container without pod

    bool v4 = true;
    bool v6 = false;
    std::vector<std::string> pools4;  // CIDRs or names; empty: the pools that select node and pod
    std::vector<std::string> pools6;
    std::optional<IpAddr> specific;     // this one (IP=); the four above do not count then
    unsigned max_blocks = 0;            // of this node, beside the configured limit; 0: none
    kube::StringMap namespace_labels;   // of the pod's namespace
    std::optional<kube::Pod> pod_read;  // spares a read for a virtual machine's pod
};

struct Assigned {
    // IPv4 before IPv6. The prefix is what the result says: the block's, or 32 and 128.
    std::vector<ipam::Address> addresses;
    std::string handle;

    // False for the target of a live migration: the host must not send traffic to it yet, so the
    // result has no routes.
    bool host_routes = true;

    // They were this virtual machine's before: a failed ADD must not release them.
    bool kept = false;
};

class AddressCall {
public:
    explicit AddressCall(IpamSite site);

    // To be read beside the caller's own, once; nothing when another process leads.
    std::vector<store::Query> queries() const;

    // Their answers, moved from. What could not be read fails assign().
    void take_view(std::span<store::Found> found);

    // All that was asked for, or nothing is left behind. Once an object. Releases that wait for
    // this container are made before, some others after (release_queue.h).
    // Errors, in Calico's words: kSystem `failed to request IPv4 addresses: Assigned 0 out of 1
    // ...`, `failed to get VMI info: ...`; ipam/allocator.h's; kTryAgain.
    Result<Assigned> assign(store::Store &store, const AddressRequest &request, Deadline deadline);

private:
    Result<Assigned> assign_one(store::Store &store, const ipam::Request &request,
                                Deadline deadline);
    Result<Assigned> assign_vm(store::Store &store, const AddressRequest &request, const VmPod &vm,
                               Deadline deadline);
    Result<Assigned> assign_combined(store::Store &store, const ipam::Request &request,
                                     Deadline deadline);
    Result<Assigned> lead(store::Store &store, const ipam::Request &own, Deadline deadline);
    std::vector<Result<Assigned>> serve(store::Store &store, ipam::View seen,
                                        const std::vector<CombiningQueue::Waiting> &waiting,
                                        Deadline deadline);
    void hand_out(store::Store &store, const CombiningQueue::Waiting &waiting,
                  const Result<Assigned> &answer, Deadline deadline);
    Result<ipam::View> view(store::Store &store, Deadline deadline);

    IpamSite site_;
    std::optional<CombiningQueue> queue_;  // none: no folder, everybody for himself
    ipam::Hint hint_;
    std::optional<Result<ipam::View>> view_;
};

// Undoes assign(): by address, handle and sequence number, so that nothing else is touched.
// Addresses that were kept stay. What cannot be released now is logged; DEL will.
void give_back(store::Store &store, const IpamSite &site, const Assigned &assigned,
               Deadline deadline);

}  // namespace tortie::calico
