// SPDX-License-Identifier: Apache-2.0
//
// Calling another plugin in the middle of ours, as main plugins call their IPAM.
// Source: CNI specification 1.1.0 section 4 (plugin delegation).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cni/skel.h"

namespace tortie::cni {

// The first regular file of that name in the directories of `cni_path` ("/a:/b"); relative and
// empty directories are passed over. `type` is one path component, or it is refused: a longer one
// would run any program of the node (CVE-2021-20206).
// Errors: kNotFound `failed to find plugin "x" in path [a b]`, kInvalidInput.
Result<std::string> find_plugin(std::string_view type, std::string_view cni_path);

// Runs the plugin `type` for `command` with the configuration of `request` unchanged on stdin and
// the environment `inherited` ("K=V"), in which CNI_COMMAND is replaced. Its stdout on success.
// Its error object, when it prints one, becomes the failure; what else it does wrong is told in
// the words of the Go library. After a failed ADD the caller sends DEL.
Answer delegate(std::string_view type, std::string_view command, const Request &request,
                const std::vector<std::string> &inherited);

}  // namespace tortie::cni
