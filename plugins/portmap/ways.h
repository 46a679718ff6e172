// SPDX-License-Identifier: Apache-2.0
//
// The node's ways of carrying host ports as one call sees them: netfilter by whichever backend the
// configuration leads to, and BPF programs over it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "datapath/ebpf_port_mapper.h"
#include "datapath/iptables_port_mapper.h"
#include "datapath/nftables_port_mapper.h"
#include "datapath/port_mapper.h"
#include "portmap/backends.h"
#include "portmap/config.h"

namespace tortie::portmap {

// Backends, for one configuration, as a PortMapper.
class Netfilter final : public PortMapper {
public:
    // Both outlive this.
    Netfilter(Backends &backends, const Config &config) : backends_(backends), config_(config) {}

    Result<std::vector<PublishedPort>> publish(const Publication &publication) override;
    Result<> check(const Publication &publication) override;
    // After publish() only what that one made.
    Result<std::vector<PublishedPort>> withdraw(const Publication &publication) override;
    Result<std::vector<PublishedPort>> collect_garbage(
        const std::string &network, const std::vector<Attachment> &valid) override;

    // By which backend publish() did it.
    std::optional<Backend> published_by() const { return published_; }

private:
    Backends &backends_;
    const Config &config_;
    std::optional<Backend> published_;
};

class Ways {
public:
    // `config` outlives this; `search_path` as in PATH.
    Ways(const std::string &search_path, const Config &config);

    // By what the node's report of capabilities leads to; when something is loaded already, it is
    // used. Errors also: the programs are asked for and cannot be had; programs_missing() is true
    // then. When they are only wished for the log says why there are none, once until the node
    // boots.
    Result<std::vector<PublishedPort>> publish();
    Result<> check();

    // Whatever the configuration says now: it may have been another one at ADD.
    Result<std::vector<PublishedPort>> withdraw() { return ebpf_.withdraw(config_.publication); }
    Result<std::vector<PublishedPort>> collect_garbage(const std::string &network,
                                                       const std::vector<Attachment> &valid)
    {
        return ebpf_.collect_garbage(network, valid);
    }

    bool programs_missing() const { return refusal_.has_value(); }
    Backend published_by() const { return netfilter_.published_by().value_or(config_.backend); }

private:
    Result<> decide();
    Result<std::vector<PublishedPort>> publish_alone(Error cause);

    const Config &config_;
    std::string search_path_;
    std::optional<Error> refusal_;
    NftablesPortMapper nftables_;
    IptablesPortMapper iptables_;
    Backends backends_{nftables_, iptables_};
    Netfilter netfilter_{backends_, config_};
    EbpfPortMapper ebpf_;
};

}  // namespace tortie::portmap
