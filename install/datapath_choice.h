// SPDX-License-Identifier: Apache-2.0
//
// Which way this node carries host ports, found out when it is installed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "caps/prober.h"
#include "install/folder.h"
#include "kube/kubeconfig.h"

namespace tortie::installer {

constexpr const char *kReportName = "tortie.capabilities";
constexpr const char *kChoiceName = "tortie.datapath";  // what `install datapath` chose by hand

struct DatapathChoice {
    std::string key;     // for portmap's entry; empty: none, each call asks the node's report
    std::string report;  // the findings as JSON; empty: nothing certain was found
    std::string reason;  // one line, for people
};

// `wish` is TORTIE_DATAPATH, else what was chosen by hand, else auto; TORTIE_DISABLE counts. A wish
// for a way is written down as it is: a node that cannot have it says so at each call.
// With auto only what is certain is written. bpffs is not seen from a container that nobody gave
// it: that leaves the choice to the plugins, which run on the node.
// Errors: kInvalidInput naming the variable.
Result<DatapathChoice> choose_datapath(const std::string &wish, const kube::GetEnv &get_env,
                                       caps::Prober &prober);

// The wish as above. Errors: kInvalidInput naming the variable or the file.
Result<std::string> wished_datapath(const kube::GetEnv &get_env, const Folder &net_folder);

// What carries this node's host ports now: "ebpf", "ebpf-full", "nftables" or "iptables".
struct DatapathInUse {
    std::string backend;
    bool is_override = false;  // not what the findings alone lead to
};

// From the configuration in use and the report of this boot. nullopt: it cannot be told, for there
// is no report, or the configuration asks for what this kernel cannot do.
std::optional<DatapathInUse> datapath_in_use(const Folder &net_folder, std::string_view conflist);

}  // namespace tortie::installer
