// SPDX-License-Identifier: Apache-2.0
//
// One kubeconfig file as values: only what it says, nothing decided.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie::kube {

struct KubeconfigCluster {
    std::string server;
    std::string ca_file;
    std::string ca_data;  // base64
    std::string tls_server_name;
    std::string proxy_url;
    bool insecure = false;
};

struct KubeconfigUser {
    std::string token;
    std::string token_file;
    std::string cert_file;
    std::string cert_data;  // base64
    std::string key_file;
    std::string key_data;  // base64
    std::string username;
    std::string password;
    bool needs_program = false;  // exec or auth-provider
};

struct KubeconfigContext {
    std::string cluster;
    std::string user;
};

struct Kubeconfig {
    std::string current_context;
    std::map<std::string, KubeconfigCluster> clusters;
    std::map<std::string, KubeconfigUser> users;
    std::map<std::string, KubeconfigContext> contexts;
};

// YAML or JSON. Errors: kInvalidInput naming the member.
Result<Kubeconfig> parse_kubeconfig(std::string_view text);

}  // namespace tortie::kube
