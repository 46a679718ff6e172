// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cni/json.h"

namespace tortie::cni {

struct ValidAttachment {
    std::string container_id;
    std::string ifname;
};

// What the runtime still has, from GC's configuration: cni.dev/valid-attachments, or the early
// spelling cni.dev/attachments. nullopt when neither key is there: then nothing may be collected.
// An empty list means that nothing is valid any more.
// Source: CNI specification 1.1.0 section 4, GC.
Result<std::optional<std::vector<ValidAttachment>>> valid_attachments(const Json &config);

}  // namespace tortie::cni
