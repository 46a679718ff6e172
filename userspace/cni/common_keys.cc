// SPDX-License-Identifier: Apache-2.0
#include "cni/common_keys.h"

#include "cni/result_codec.h"

namespace tortie::cni {

Result<> check_common_keys(const Json &config)
{
    TORTIE_DO(config.string("type"));
    TORTIE_DO(config.object("capabilities"));
    TORTIE_TRY(const Json ipam, config.object("ipam"));
    TORTIE_DO(ipam.string("type"));
    TORTIE_TRY(const Json dns, config.object("dns"));
    TORTIE_DO(parse_dns(dns));
    TORTIE_DO(config.object("prevResult"));
    TORTIE_DO(config.elements("cni.dev/valid-attachments"));
    return {};
}

}  // namespace tortie::cni
