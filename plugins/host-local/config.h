// SPDX-License-Identifier: Apache-2.0
//
// host-local's configuration. Texts of errors are the Go plugin's.
#pragma once

#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "cni/json.h"
#include "cni/result_types.h"
#include "cni/skel.h"
#include "host-local/range.h"

namespace tortie::host_local {

struct Config {
    std::string data_dir;
    std::string resolv_conf;                   // empty: none
    std::vector<RangeSet> sets;                // in the order that numbers them; may be empty
    std::vector<IpAddr> requested;             // each once, in order
    std::vector<cni::Route> routes;            // for the result
    bool status_fails_when_exhausted = false;  // ipam.statusFailsWhenExhausted, ours
};

// Everything, checked, before anything is changed. No ranges at all is for the caller to refuse:
// STATUS gets none where they come from the runtime. Errors: kInvalidInput.
Result<Config> parse_config(const cni::Request &request);

// Where the reservations are, from a configuration in which nothing else may be right: DEL and GC
// do with that.
std::string data_dir_of(const cni::Json &config);

}  // namespace tortie::host_local
