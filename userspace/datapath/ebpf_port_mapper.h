// SPDX-License-Identifier: Apache-2.0
//
// Host ports carried by BPF programs, on top of a PortMapper of netfilter, whose rules are always
// there: what the programs leave, netfilter carries, with the same result.
#pragma once

#include <string>

#include "datapath/ebpf_node.h"
#include "datapath/port_mapper.h"

namespace tortie {

// What becomes of a publication that the programs cannot be had for.
enum class EbpfIs : std::uint8_t { kWished, kRequired };

class EbpfPortMapper final : public PortMapper {
public:
    // `netfilter` outlives this.
    EbpfPortMapper(PortMapper &netfilter, EbpfSettings settings, EbpfIs is)
        : netfilter_(netfilter), settings_(std::move(settings)), is_(is)
    {
    }

    // As the netfilter mapper's; then the programs carry what they may. A pod that they may not
    // carry is no failure: the log says why. Neither is a node that cannot, when they are only
    // wished for: refusal() says why.
    // Errors also: whatever kept the programs from it, when they are required; nothing is
    // published then.
    Result<std::vector<PublishedPort>> publish(const Publication &publication) override;

    // Also: for a pod that the programs know, every entry is there and every program attached; when
    // they are required and may carry it, they know it.
    Result<> check(const Publication &publication) override;

    // The programs first: a flow that is left alone falls to netfilter, which then forgets it.
    Result<std::vector<PublishedPort>> withdraw(const Publication &publication) override;

    // Also: uplinks of now, pods and links that are gone, flows marked (ebpf_flows.h).
    Result<std::vector<PublishedPort>> collect_garbage(
        const std::string &network, const std::vector<Attachment> &valid) override;

    // Whether this ABI's programs are on the node.
    bool is_loaded() const { return PinRoot(settings_.places).folder(settings_.abi).exists(); }

    // From the next call on.
    void set(EbpfSettings settings) { settings_ = std::move(settings); }

    // Why the last publish() could not have the programs.
    const std::optional<Error> &refusal() const { return refusal_; }

private:
    Result<> carry(const Publication &publication, const std::vector<PublishedPort> &held);
    Result<> carry_on(EbpfNode &node, const Publication &publication,
                      const std::vector<PublishedPort> &ports);
    Result<> drop(const std::vector<PublishedPort> &ports, const std::vector<IpAddr> &addresses);

    Result<> tidy(const std::vector<PublishedPort> &removed);

    PortMapper &netfilter_;
    EbpfSettings settings_;
    EbpfIs is_;
    std::optional<Error> refusal_;
};

}  // namespace tortie
