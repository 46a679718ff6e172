// SPDX-License-Identifier: Apache-2.0
#include "cni/attachments.h"

#include <string>

namespace tortie::cni {

Result<std::optional<std::vector<ValidAttachment>>> valid_attachments(const Json &config)
{
    for (const char *key : {"cni.dev/valid-attachments", "cni.dev/attachments"}) {
        if (!config.at(key).present())
            continue;
        TORTIE_TRY(const auto entries, config.elements(key));
        std::vector<ValidAttachment> valid;
        for (const Json &entry : entries) {
            // Taken for an entry that names nobody, it would have everybody collected.
            if (!entry.is_object())
                return fail(ErrorKind::kInvalidInput, "json: cannot unmarshal an element of " +
                                                          std::string(key) +
                                                          " that is not an object");
            ValidAttachment one;
            TORTIE_TRY(one.container_id, entry.string("containerID"));
            TORTIE_TRY(one.ifname, entry.string("ifname"));
            valid.push_back(std::move(one));
        }
        return valid;
    }
    return std::nullopt;
}

}  // namespace tortie::cni
