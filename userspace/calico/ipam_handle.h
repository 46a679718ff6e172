// SPDX-License-Identifier: Apache-2.0
//
// Under which name an address is held, and what stands beside it: what DEL, Felix,
// kube-controllers and calicoctl find it by.
// Source: spec calico-ipam-datastore.md 1.4.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "kube/objects.h"

namespace tortie::calico {

// "<network>.<container id>". Two interfaces of one container on one network share it.
std::string handle_id(std::string_view network, std::string_view container_id);

// Of data that Calico v2 wrote: "<namespace>.<pod>" for a pod, else the container id.
std::string legacy_handle_id(std::string_view ns, std::string_view pod,
                             std::string_view container_id);

// "<network>.vmi.<namespace>.<name>" of a VirtualMachineInstance, at most 128 characters and always
// fit to name an object of Kubernetes: what is longer ends in a hash. Upstream's own long form
// could never be stored there (spec calico-peers.md 3.2).
std::string vm_handle_id(std::string_view network, std::string_view ns, std::string_view name);

// UTC in the form of Go's time.Time.String(): "2026-08-22 10:15:01.204518 +0000 UTC". Such texts
// sort by time.
std::string go_time(std::chrono::system_clock::time_point when);

// The attributes of an address for a pod, or for a container without one (`pod` empty).
kube::StringMap owner_attributes(std::string_view node, std::string_view ns, std::string_view pod,
                                 std::chrono::system_clock::time_point when);

}  // namespace tortie::calico
