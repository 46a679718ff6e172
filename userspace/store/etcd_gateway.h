// SPDX-License-Identifier: Apache-2.0
//
// The connection behind etcd.h: which endpoint, who we are, and what a refusal means.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "http/client.h"
#include "store/etcd.h"

namespace tortie::store {

class EtcdGateway {
public:
    // Errors as open_etcd().
    static Result<EtcdGateway> make(const EtcdSettings &settings);

    // The body of the answer to a POST, from the first endpoint that gives one. Errors:
    //   kTryAgain        no endpoint can be reached, or etcd has no leader: nothing happened
    //   kUnknownOutcome  a write that may have happened; never for a read
    //   kSystem          refused: the gateway is off, user or permission is missing
    Result<std::string> read(const std::string &target, const std::string &body, Deadline deadline)
    {
        return post(target, body, true, deadline);
    }
    Result<std::string> write(const std::string &target, const std::string &body, Deadline deadline)
    {
        return post(target, body, false, deadline);
    }

private:
    struct Endpoint {
        std::string url;
        http::Server server;
    };

    EtcdGateway() = default;

    Result<> discover(Deadline deadline);
    Result<std::string> post(const std::string &target, const std::string &body, bool read_only,
                             Deadline deadline);
    Result<http::Response> send_anywhere(const http::Request &request, Deadline deadline);
    Result<http::Response> send_around(const http::Request &request, http::Limits limits,
                                       Deadline deadline);
    Result<> log_in(Deadline deadline);

    http::Tls tls_;
    std::string discovery_domain_;  // empty: the endpoints are known
    std::vector<Endpoint> endpoints_;
    std::chrono::milliseconds connect_limit_{};
    std::size_t current_ = 0;
    std::vector<http::Client> client_;  // of the current endpoint; none before the first request
    std::string username_;
    std::string password_;
    std::string token_;
    bool logged_in_ = false;
};

}  // namespace tortie::store
