// SPDX-License-Identifier: Apache-2.0
//
// What calico-node and Felix leave on the node for the CNI plugins: which node this is, and the
// MTU that its encapsulation leaves to pods. Source: spec calico-cni.md 3.1 steps 3 to 6.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace tortie::calico {

constexpr const char *kMtuFile = "/var/lib/calico/mtu";

struct NodeNameSources {
    std::string nodename;       // configuration
    std::string nodename_file;  // configuration: its path
    std::string hostname;       // configuration, deprecated
};

// The configured name, else the file's content (blanks around it do not count), else the deprecated
// key, else the machine's host name in lower case. A file that is missing or cannot be read is
// passed over.
std::string node_name(const NodeNameSources &sources);

// The file is there. Errors: kTryAgain with upstream's text, which tells people to look at
// calico-node.
Result<> require_nodename_file(const std::string &path);

// Bytes; nullopt when there is no such file. Errors: "failed to read MTU file: ...", also when it
// is missing and `required`, then kTryAgain.
Result<std::optional<std::int64_t>> read_mtu_file(const std::string &path, bool required);

}  // namespace tortie::calico
