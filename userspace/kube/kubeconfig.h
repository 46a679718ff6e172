// SPDX-License-Identifier: Apache-2.0
//
// How to reach a Kubernetes API server and who to be there: kubeconfig files as client-go merges
// them, what overrides them, or the service account of a pod.
// Source: spec calico-ipam-datastore.md 3.8; client-go's clientcmd.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"
#include "http/client.h"

namespace tortie::kube {

// The value of an environment variable, nullptr when it is not set.
using GetEnv = std::function<const char *(const char *name)>;

// Empty texts are not said. What is said wins over the kubeconfig's word.
struct AccessSettings {
    std::string kubeconfig{};    // paths, separated by colons: the first that says a thing wins
    std::string api_endpoint{};  // a URL
    std::string cert_file{};
    std::string key_file{};
    std::string ca_file{};
    std::string token{};
    std::string current_context{};
    bool insecure_skip_tls_verify = false;
    // KUBERNETES_SERVICE_HOST and the files below service_account, when there is neither a
    // kubeconfig nor an endpoint.
    bool in_cluster = false;
    std::string service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
    std::chrono::milliseconds connect_limit = http::Limits().connect;
};

struct Access {
    http::Server server;
    std::string base_path;      // before every path: "" or "/k8s/clusters/c-1"
    std::string authorization;  // value of the header: "Bearer ..."; empty: none. A secret
};

// Reads every file anew: tokens expire and are replaced. Errors: kInvalidInput naming file and
// entry, kNotFound for a file that is not there, kUnsupported for users that need another program
// (exec, auth-provider). None holds a secret.
Result<Access> load_access(const AccessSettings &settings, const GetEnv &get_env);

}  // namespace tortie::kube
