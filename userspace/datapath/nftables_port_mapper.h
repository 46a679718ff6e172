// SPDX-License-Identifier: Apache-2.0
//
// Host ports as elements of nf_tables maps: one lookup a packet however many ports there are, and
// one transaction a call. nftables_layout.h shows the table.
//
// No lock: a call reads the generation of nf_tables and what it needs to know, and its
// transaction happens only while nothing has changed since; else it starts again.
#pragma once

#include <string>

#include "datapath/port_mapper.h"

namespace tortie {

class NftablesPortMapper final : public PortMapper {
public:
    // `search_path` (as in PATH) is where program `nft` is looked for, needed only for the first
    // publication under given conditions.
    explicit NftablesPortMapper(std::string search_path) : search_path_(std::move(search_path)) {}

    // Beside what PortMapper says:
    // Errors: kTryAgain when others changed nf_tables without pause for ten seconds.
    Result<std::vector<PublishedPort>> publish(const Publication &publication) override;

    // A port that another attachment holds and this one waits for is not missing, nor is one that
    // the Go plugin's rules publish (tables `cni_hostport`).
    Result<> check(const Publication &publication) override;

    // The Go plugin's rules of the container (tables `cni_hostport`) go, too.
    Result<std::vector<PublishedPort>> withdraw(const Publication &publication) override;

    Result<std::vector<PublishedPort>> collect_garbage(
        const std::string &network, const std::vector<Attachment> &valid) override;

private:
    std::string search_path_;
};

}  // namespace tortie
