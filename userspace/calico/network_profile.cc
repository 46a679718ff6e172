// SPDX-License-Identifier: Apache-2.0
#include "calico/network_profile.h"

#include <string>

namespace tortie::calico {

store::Profile network_profile(std::string_view network, bool for_pods)
{
    // Names of networks are letters, digits and "_.-" (cni/skel): nothing to escape.
    const std::string name(network);
    const std::string source = for_pods ? "" : ",\"source\":{\"selector\":\"has(" + name + ")\"}";
    return {.name = name,
            .spec = "{\"egress\":[{\"action\":\"Allow\"}],\"ingress\":[{\"action\":\"Allow\"" +
                    source + "}],\"labelsToApply\":{\"" + name + "\":\"\"}}",
            .unknown = {}};
}

}  // namespace tortie::calico
