// SPDX-License-Identifier: Apache-2.0
//
// What Calico remembers on the node beside Azure's IPAM (azure-vnet-ipam), which must be told the
// subnet of a network on later ADDs and the address on DEL. Files and their JSON are Calico's.
// Source: spec calico-cni.md 3.3, last paragraph.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tortie::calico {

class AzureRecords {
public:
    explicit AzureRecords(std::string folder = "/var/run/calico/azure/networks")
        : folder_(std::move(folder))
    {
    }

    // The subnets of a network; empty when none is known.
    Result<std::vector<std::string>> subnets(const std::string &network) const;
    Result<> store_network(const std::string &network,
                           const std::vector<std::string> &subnets) const;

    // The addresses of an attachment; empty when none is known.
    Result<std::vector<std::string>> addresses(const std::string &network,
                                               const std::string &container_id,
                                               const std::string &ifname) const;
    Result<> store_endpoint(const std::string &network, const std::string &container_id,
                            const std::string &ifname,
                            const std::vector<std::string> &addresses) const;
    Result<> remove_endpoint(const std::string &network, const std::string &container_id,
                             const std::string &ifname) const;

private:
    std::string network_file(const std::string &network) const;
    std::string endpoint_file(const std::string &network, const std::string &container_id,
                              const std::string &ifname) const;

    std::string folder_;
};

}  // namespace tortie::calico
