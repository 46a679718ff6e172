// SPDX-License-Identifier: Apache-2.0
//
// A workload's endpoint: what Felix makes policy for. Where endpoints are documents (etcd, local)
// it is written as a whole; with Kubernetes only its container and addresses are, as annotations
// of the pod. Source: spec calico-cni.md 3.2 step 7, 3.5, 3.6, 3.8, Q11.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "calico/pod_plan.h"
#include "calico/workload_name.h"
#include "kube/objects.h"
#include "store/documents.h"

namespace tortie::calico {

constexpr std::string_view kContainerIdAnnotation = "cni.projectcalico.org/containerID";

// Labels of every endpoint in a namespace.
kube::StringMap endpoint_labels(std::string_view ns, std::string_view orchestrator);

// What a pod gives to its endpoint: labels, profiles, ports, service account, generateName. For a
// pod that Kubernetes does not know (a runtime without a cluster) its name and namespace will do.
// Ports of unknown protocols and with neither a name nor a host port are left out.
void describe_pod(const kube::Pod &pod, store::Endpoint &endpoint);

// The addresses, each by itself: "10.0.0.1/32". Forgets what an earlier container of the pod left:
// NATs, source prefixes, annotations, QoS (Q11).
void set_addresses(std::span<const IpAddr> addresses, const PodPlan &plan,
                   store::Endpoint &endpoint);

// That each floating address has one of its family in the pod to be mapped to.
// Errors: kInvalidInput.
Result<> check_floating(std::span<const IpAddr> addresses, const PodPlan &plan);

// Which container a pod's endpoint is of, by the pod's annotation; empty: not said. This and the
// fields of kube::Pod is all that DEL looks at: what people write into other annotations is no
// reason for a pod that cannot be deleted (Q14).
std::string container_of(const kube::Pod &pod);

// What Calico has written into the pod's annotations: "10.0.0.1/32", "fd00::1/128".
std::vector<std::string> annotated_addresses(const kube::Pod &pod);

// The pod has an endpoint at all: scheduled, and not in the node's own network.
bool has_endpoint(const kube::Pod &pod);

// What Calico's data model asks of an endpoint before it is stored. To be called when everything
// but addresses and MAC is set, before anything is changed.
// Errors: kInvalidInput "error with field containerID = '...' (...)".
Result<> validate(const store::Endpoint &endpoint);

// The addresses of an endpoint that is a document, and those that Kubernetes says a pod has: of its
// status, else of Calico's annotations. None for a pod that has finished. What is no address is
// passed over.
std::vector<IpAddr> addresses_of(const store::Endpoint &endpoint);
std::vector<IpAddr> addresses_of(const kube::Pod &pod);

}  // namespace tortie::calico
