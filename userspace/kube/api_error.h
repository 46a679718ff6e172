// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "http/client.h"

namespace tortie::kube {

// What an answer that is no success means for the caller. Texts are Calico's where it has one.
//
//   404  the object is not there: kNotFound. The API server does not serve such a type at all:
//        kUnsupported; taking that for "nothing is allocated" would leak every address
//   409  kExists, kConflict; kNotFound when the object with that UID is gone
//   410  kTryAgain: a list's continue token has expired
//   422  on the UID or the version: as 409; else kInvalidInput
//   401  kTryAgain: tokens are replaced; 403 kSystem: both "connection is unauthorized: ..."
//   429  kTryAgain
//   5xx  kTryAgain of a read; of a write kUnknownOutcome, since etcd may have taken it
//
// Source: spec calico-ipam-datastore.md 3.2, 3.6; Kubernetes API conventions.
Error error_of(const http::Response &response, bool writes);

}  // namespace tortie::kube
