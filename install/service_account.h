// SPDX-License-Identifier: Apache-2.0
//
// What Kubernetes mounts into a pod: who it is, and whom to trust.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "install/settings.h"

namespace tortie::installer {

constexpr const char *kServiceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount";

struct ServiceAccount {
    std::string token;   // as mounted; a secret
    std::string ca_pem;  // empty when it holds no certificate
    std::string ns;
};

// nullopt outside of a pod: there is no token. Errors: kInvalidInput, kSystem; that the API
// server's address is not in the environment, with upstream's text.
Result<std::optional<ServiceAccount>> mounted_service_account(const Settings &settings);

}  // namespace tortie::installer
