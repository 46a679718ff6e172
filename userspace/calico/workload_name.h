// SPDX-License-Identifier: Apache-2.0
//
// How Calico names a workload's endpoint: "<node>-k8s-<pod>-<interface>" and so on, with every
// dash inside of a part doubled. Felix, calicoctl and Go nodes find it by that name.
// Source: spec calico-cni.md 3.1, 7.6.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie::calico {

constexpr std::string_view kKubernetes = "k8s";  // orchestrators
constexpr std::string_view kPlainCni = "cni";

// What stands in the third part depends on the orchestrator: the pod ("k8s"), the container
// ("cni"), a fixed word ("libnetwork"), else the workload.
struct WorkloadIds {
    std::string node;
    std::string orchestrator;
    std::string workload;
    std::string pod;
    std::string container_id;
    std::string endpoint;  // the interface's name

    friend bool operator==(const WorkloadIds &, const WorkloadIds &) = default;
};

// Errors: kInvalidInput "error with field pod = '' (field should be assigned)", also for a part
// that begins or ends with a dash.
Result<std::string> workload_name(const WorkloadIds &ids);

// As far as the parts are known: "node--1-k8s-pod--name-" without an endpoint. The node must be.
Result<std::string> workload_name_prefix(const WorkloadIds &ids);

// Whether `name` can be that of `ids`; an unknown part of `ids` fits everything. Errors: no node.
Result<bool> matches(const WorkloadIds &ids, std::string_view name);

// Syntactic: what is missing at the end stays empty. Errors: kInvalidInput when nothing is there or
// there are more than four parts.
Result<WorkloadIds> parse_workload_name(std::string_view name);

}  // namespace tortie::calico
