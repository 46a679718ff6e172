// SPDX-License-Identifier: Apache-2.0
//
// The token that the plugins get: one of its own, with a day to live, for the service account
// that may do what they do and nothing else.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "install/service_account.h"
#include "install/settings.h"
#include "kube/kubeconfig.h"

namespace tortie::installer {

struct CniToken {
    std::string text;             // a secret
    std::chrono::seconds life{};  // from when it was given; 0: not known
};

// Asks the API server (TokenRequest). Where servers do not know that yet, the pod's own token.
// An answer that does not come, 429 and 5xx are asked again until settings.api_timeout is over.
// Errors: kinds of kube::Client; texts begin with "Unable to create token for CNI kubeconfig" and
// name the service account and what to look at. None holds a secret.
Result<CniToken> request_cni_token(const Settings &settings, const ServiceAccount &account,
                                   const kube::GetEnv &get_env);

}  // namespace tortie::installer
