// SPDX-License-Identifier: Apache-2.0
//
// etcd version 3 by its JSON gateway (/v3/kv/txn): every batch of reads and every commit is one
// request, and a commit is one transaction.
//
// The gateway can be switched off (--enable-grpc-gateway=false) and knows no users from client
// certificates; either becomes an error that says so.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace tortie::store {

struct EtcdSettings {
    std::string endpoints;  // URLs, separated by commas
    // Instead of endpoints: the domain whose SRV records name them (_etcd-client-ssl._tcp for
    // https, _etcd-client._tcp for http).
    std::string discovery_domain;
    std::string ca_file;    // PEM; empty: the node's own bundle
    std::string cert_file;  // of a client certificate, with key_file or not at all
    std::string key_file;
    std::string username;  // used with the password or not at all
    std::string password;
    std::chrono::milliseconds connect_limit{10'000};  // TCP, and again for the TLS handshake
};

// Nothing is sent before the first read or commit. An endpoint that does not answer within a second
// is left for the next one; when none does, each is given connect_limit.
// Errors: kInvalidInput for endpoints that are no URLs with http:// or https://, and what reading
// the files gives.
Result<std::unique_ptr<Store>> open_etcd(const EtcdSettings &settings);

}  // namespace tortie::store
