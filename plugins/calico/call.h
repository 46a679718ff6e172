// SPDX-License-Identifier: Apache-2.0
//
// What every verb knows about its call before it touches anything: configuration, who is meant,
// which node this is. Source: spec calico-cni.md 2.6, 3.1 steps 1 to 7.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/ip_addr.h"
#include "base/result.h"
#include "calico/netconf.h"
#include "calico/workload_name.h"
#include "cni/skel.h"

namespace tortie::calico_cni {

struct Call {
    const cni::Request *request;  // outlives the call
    NetConf conf;
    std::string node;

    // From CNI_ARGS. A pod when both names are there ("k8s"), else a container ("cni").
    std::string pod;
    std::string ns;  // of a container: "default"
    std::string pod_uid;
    std::optional<IpAddr> requested_address;

    Deadline deadline;  // of everything that talks to the datastore

    bool is_pod() const { return !pod.empty(); }

    // Read from Kubernetes, or from what the runtime hands over.
    bool has_pod_policy() const { return is_pod() && conf.policy.type == "k8s"; }

    // The workload as its endpoint is named; the interface is that of the call.
    calico::WorkloadIds ids() const;
};

// Reads all of it and opens the log. Errors: cni::CniError with code 7 for a configuration that
// cannot be used, else 999.
tl::expected<Call, cni::CniError> read_call(const cni::Request &request);

// What a plugin that is run by us gets: our own environment, with what the configuration says
// about the datastore, and CNI_ARGS as Calico hands them on.
std::vector<std::string> child_environment(const Call &call);

// A variable of our own environment; empty when it is not set.
std::string environment_variable(const char *name);

// As cni::CniError(error), but with code 11 for everything that a later try may get right.
cni::CniError failure(const Error &error);

// The runtime wants us to end (SIGTERM, SIGINT, SIGHUP): the verb looks between its steps, so that
// it ends with its work done or undone. Errors: kTryAgain.
Result<> go_on();

}  // namespace tortie::calico_cni
