// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"

namespace tortie::calico_cni {

// Every URL answers with a status of 200 to 399; each is asked every few seconds for half a minute
// at most. Certificates are not looked at, as with Kubernetes' own probes: what counts is that the
// agent on the node has come up.
// Errors: `invalid URL set for ReadinessGates:<url> Error:...`; kTryAgain `context deadline
// exceeded`. Source: spec calico-cni.md 3.1 step 10.
Result<> await_readiness_gates(const std::vector<std::string> &urls, Deadline deadline);

}  // namespace tortie::calico_cni
