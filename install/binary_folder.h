// SPDX-License-Identifier: Apache-2.0
//
// The plugins on the host: in one directory, or in two where the first cannot be written.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "install/binaries.h"
#include "install/folder.h"
#include "install/record.h"
#include "install/settings.h"

namespace tortie::installer {

struct BinaryFolderPath {
    const char *path;    // in the container
    const char *record;  // how the record calls it
};
constexpr BinaryFolderPath kBinaryFolders[] = {{"/host/opt/cni/bin", "bin"},
                                               {"/host/secondary-bin-dir", "secondary-bin-dir"}};

// Into each directory that can be written: all new files whole and on the disk first, then all put
// in place; when that fails half-way, those before it are taken back where the file system can.
// With UPDATE_CNI_BINARIES=false a directory that holds calico and calico-ipam will do even when
// none can be written.
// Errors: kSystem "found no writeable directory, exiting"; "Failed to install <path>" with cause
// and cure; "Failed to verify installed binary <path>".
Result<> install_binaries(const Settings &settings, std::span<const Binary> binaries,
                          const Folder &net_folder, Record &record);

}  // namespace tortie::installer
