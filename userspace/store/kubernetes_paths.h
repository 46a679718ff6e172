// SPDX-License-Identifier: Apache-2.0
//
// Where the documents are with Kubernetes: the path of each request.
// Source: spec calico-ipam-datastore.md 3.1, 3.3, 3.6.
#pragma once

#include <string>

#include "base/result.h"
#include "store/codec.h"
#include "store/store.h"

namespace tortie::store {

// Of one object. Errors: kUnsupported for what is no object with Kubernetes.
Result<std::string> object_path(const Key &key, Spelling spelling);

// Where an object of that key is created.
Result<std::string> collection_path(const Key &key, Spelling spelling);

// Of a list, with its selector. Every list but that of one node's pods comes in pages.
// Errors: kUnsupported for endpoints.
Result<std::string> list_path(const Query &list, Spelling spelling);

// The next page of the same list; the first one for an empty token.
std::string page_path(const std::string &list_path, const std::string &continue_token);

// Objects of Kubernetes itself, which every cluster has: neither of Calico's groups.
bool is_core(const Query &query);

}  // namespace tortie::store
