// SPDX-License-Identifier: Apache-2.0
//
// What somebody needs who helps from afar, in one file, and no secret in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/kubeconfig.h"

namespace tortie::installer {

struct ArchiveFile {
    std::string name;  // at most 99 bytes
    std::string content;
};

// POSIX ustar: what every tar reads.
std::string tar_of(const std::vector<ArchiveFile> &files);

// The JSON text with every value removed that may be a secret: those whose key speaks of tokens,
// passwords, keys or credentials, and everything that looks like a token or a PEM block.
std::string without_secrets(std::string_view json);

// Status, metrics, the network configuration without secrets, the record, the capability report,
// who owns what in the directories, host ports. Never the kubeconfig, never etcd's key.
std::vector<ArchiveFile> collect_support_files(const kube::GetEnv &get_env);

}  // namespace tortie::installer
