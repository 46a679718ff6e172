// SPDX-License-Identifier: Apache-2.0
//
// A client of one Kubernetes API server. Requests given together go out together, so they cost one
// round trip.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "http/client.h"
#include "kube/kubeconfig.h"
#include "kube/objects.h"

namespace tortie::kube {

struct Call {
    http::Method method = http::Method::kGet;
    std::string path{};          // "/api/v1/nodes/n", its segments percent-encoded
    std::string body{};          // JSON
    std::string content_type{};  // empty: application/json
};

class Client {
public:
    // Nothing is read or sent before the first exchange.
    Client(AccessSettings settings, GetEnv get_env);
    ~Client();
    Client(Client &&) noexcept;
    Client &operator=(Client &&) noexcept;
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    // The bodies of successful answers, in the order of the calls. A 401 makes it read its files
    // again, once: the token may have been replaced; so does a kubeconfig that does not parse,
    // since it may be in the middle of being written. Reads that meet an overloaded server, and
    // anything that was answered 429, are repeated after what Retry-After says, else after growing
    // pauses, five times in all at most and never beyond the deadline.
    // Errors: kinds as error_of() in kube/api_error.h and http::Client say, load_access()'s for
    // all calls when the configuration is no good, but kTryAgain for a file that is missing. The
    // error of a 401 names the kubeconfig, and when its token expired.
    std::vector<Result<std::string>> exchange(std::span<const Call> calls, Deadline deadline);

    Result<std::string> send(const Call &call, Deadline deadline);

    // What identifies the cluster: address of the server and who vouches for it. The files are
    // read when they were not.
    Result<std::string> cluster_id();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// gitVersion of GET /version.
Result<std::string> server_version(Client &client, Deadline deadline);

// "/api/v1/namespaces/<ns>/pods/<name>" and so on, percent-encoded.
std::string pod_path(const std::string &ns, const std::string &name);
std::string namespace_path(const std::string &name);
std::string node_path(const std::string &name);

}  // namespace tortie::kube
