// SPDX-License-Identifier: Apache-2.0
//
// Waiting until Felix has put a pod's policy in place: it then writes a file for the endpoint, and
// removes it when the endpoint goes.
// Source: felix/statusrep; what a stale file is, is ours: Calico's plugin takes any file of the
// name, also the one of a pod that is gone.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/ip_addr.h"
#include "base/result.h"

namespace tortie::calico {

// The endpoint as it stands in the datastore, and what the link of it is like.
struct AwaitedEndpoint {
    std::string orchestrator;  // "k8s"
    std::string workload;      // "<namespace>/<pod>"
    std::string endpoint;      // "eth0"
    std::string host_ifname;
    std::vector<IpAddr> addresses;
    std::chrono::system_clock::time_point since;  // just before the link was made
};

// "k8s default%2Fpod-1 eth0": the three parts as Go's url.PathEscape prints them.
std::string endpoint_status_file_name(const AwaitedEndpoint &endpoint);

// Returns when Felix's file for this endpoint is in `directory`. A file does not count when it is
// older than the link, or when it names another interface or other addresses; what it does not say
// does not matter, and a file that is empty or no JSON says nothing.
//
// The directory need not exist yet. Changes nothing.
// Errors: kTryAgain when the deadline passes first.
Result<> wait_for_endpoint_status(const std::string &directory, const AwaitedEndpoint &endpoint,
                                  Deadline deadline);

}  // namespace tortie::calico
