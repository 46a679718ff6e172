// SPDX-License-Identifier: Apache-2.0
//
// Which datastore, and how to reach it: Calico's variables and rules, plus `datastore_type: local`,
// which is only ours and never a default: a node with a broken configuration would hand out
// addresses of its own.
// Source: spec calico-ipam-datastore.md 3.2 and 3.8, calico-cni.md 1.6.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"
#include "store/etcd.h"

namespace tortie::store {

enum class Backend : std::uint8_t { kKubernetes, kEtcd, kLocal };

// kDiscover: projectcalico.org/v3 only where it is served and crd.projectcalico.org is not.
enum class ApiGroup : std::uint8_t { kDiscover, kCrdV1, kCrdV3 };

// Empty texts are not said. What is said wins over the kubeconfig's word.
struct KubernetesSettings {
    std::string kubeconfig;  // paths, separated by colons; empty: see in_cluster
    std::string api_endpoint;
    std::string key_file;
    std::string cert_file;
    std::string ca_file;
    std::string token;
    std::string current_context;
    bool insecure_skip_tls_verify = false;
    // Neither a kubeconfig nor an endpoint: KUBERNETES_SERVICE_HOST and the service account.
    bool in_cluster = false;
    ApiGroup group = ApiGroup::kDiscover;
    std::chrono::milliseconds connect_limit{10'000};  // TCP, and again for the TLS handshake
};

struct Config {
    Backend backend = Backend::kKubernetes;
    KubernetesSettings kubernetes;  // whatever the backend: pods are read from there with etcd, too
    EtcdSettings etcd;
    std::string local_path;
};

using GetEnv = std::function<const char *(const char *)>;

// A variable's name and value.
using Variable = std::pair<std::string, std::string>;

// `variables` is what the network configuration sets (datastore_type as DATASTORE_TYPE and so on):
// Calico exports them over the environment, so that a delegated IPAM inherits them; this does not,
// and reads them first. CALICO_<NAME> of the environment wins over either, as in Calico.
// TORTIE_STORE_PATH is where the local datastore is (kLocalPath).
// Errors: kInvalidInput in Calico's words: "failed to load config from env vars: ...", "unknown
// datastore type: x", "no etcd endpoints specified", "multiple discovery or bootstrap options
// specified, ...".
Result<Config> load_config(std::span<const Variable> variables, const GetEnv &get_env);

}  // namespace tortie::store
