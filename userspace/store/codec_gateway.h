// SPDX-License-Identifier: Apache-2.0
//
// The JSON of etcd's gateway: requests of /v3/kv/txn and their answers, keys and values in base64,
// 64-bit integers as texts, members with their default left out.
// Source: etcd api/etcdserverpb/rpc.proto; dependencies.md section 5.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/key_values.h"

namespace tortie::store {

// One transaction that reads all of the ranges at one revision.
std::string read_request(std::span<const KeyRange> ranges);

// One transaction: all of the changes when nothing objects, else a read of all of their keys.
std::string commit_request(std::span<const Change> changes);

std::string login_request(std::string_view user, std::string_view password);

struct TxnAnswer {
    bool succeeded = false;
    std::string revision;                    // of the store after it
    std::vector<std::vector<Entry>> ranges;  // of each read, sorted by key; empty for writes
};

// Errors: kSystem when it is not such an answer, or not to `operations` operations.
Result<TxnAnswer> txn_answer(std::string_view body, std::size_t operations);

Result<std::string> login_answer(std::string_view body);  // the token

// What etcd says of a request that it refused; `message` is the body's beginning when it is no
// JSON.
struct GatewayError {
    int code = 0;  // of gRPC
    std::string message;
};

GatewayError gateway_error(std::string_view body);

}  // namespace tortie::store
