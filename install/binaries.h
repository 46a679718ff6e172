// SPDX-License-Identifier: Apache-2.0
//
// The plugins that the image brings.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace tortie::installer {

struct Binary {
    std::string name;
    std::shared_ptr<const std::string> content;  // calico and calico-ipam share one
    std::string hash;                            // sha256_hex() of it
    mode_t mode = 0755;                          // of the image's file, with no rights borrowed
};

// Every file of /opt/cni/bin but the installer itself, sorted; names that are links are read
// through them. `calico` and `calico-ipam` are /usr/bin/calico where that is a regular file:
// something else may be mounted over /opt/cni/bin. Directories are passed over with a warning.
// Errors: kNotFound when there is no plugin at all; kInvalidInput, kSystem naming the file.
Result<std::vector<Binary>> binaries_of_image();

}  // namespace tortie::installer
