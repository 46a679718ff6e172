// SPDX-License-Identifier: Apache-2.0
//
// Which of the two ways of publishing a call goes to, and what the other one is asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "datapath/port_mapper.h"
#include "portmap/config.h"

namespace tortie::portmap {

std::string_view name_of(Backend backend);

class Backends {
public:
    // Both outlive this.
    Backends(PortMapper &nftables, PortMapper &iptables) : nftables_(nftables), iptables_(iptables)
    {
    }

    struct Published {
        Backend backend;
        std::vector<PublishedPort> held;  // by others
    };

    // By the backend that is asked for; when none is and this kernel has no nf_tables, by iptables,
    // and the log says so. After a failure nothing of the publication is left: its acknowledgement
    // may have been lost.
    Result<Published> publish(const Config &config);

    // From the one only.
    Result<std::vector<PublishedPort>> withdraw_by(Backend backend, const Publication &publication)
    {
        return of(backend).withdraw(publication);
    }

    // Success when one of the two has everything. Errors: those of the backend asked for.
    Result<> check(const Config &config);

    // From both, the second one also when the first one fails: a rule that stays sends somebody's
    // packets to a dead container. A backend that this node does not have is no error unless it is
    // asked for by name. Return what was removed.
    Result<std::vector<PublishedPort>> withdraw(const Config &config);
    Result<std::vector<PublishedPort>> collect_garbage(const std::string &network,
                                                       const std::vector<Attachment> &valid);

private:
    PortMapper &of(Backend backend)
    {
        return backend == Backend::kIptables ? iptables_ : nftables_;
    }
    Result<Published> publish_by(Backend backend, const Publication &publication);

    PortMapper &nftables_;
    PortMapper &iptables_;
};

}  // namespace tortie::portmap
