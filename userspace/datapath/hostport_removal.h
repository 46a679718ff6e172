// SPDX-License-Identifier: Apache-2.0
//
// Taking containers' chains out of table nat. Over nf_tables that is one transaction and no child,
// whichever iptables the node has; what stands in the legacy tables only the legacy programs see.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/file_lock.h"
#include "base/result.h"
#include "datapath/hostport_chains.h"
#include "datapath/port_mapper.h"

namespace tortie {

// Which chains to remove: chains_of() or garbage_of().
using ChooseChains = std::function<Result<std::vector<HostportChain>>(const ReadChain &)>;

class HostportRemoval {
public:
    // `lock` keeps the node's other users of the legacy tables out between two children; it is
    // taken when there are any, before the first one.
    using Lock = std::function<Result<FileLock>()>;
    HostportRemoval(std::string_view search_path, Lock lock, ChooseChains choose)
        : search_path_(search_path), lock_(std::move(lock)), choose_(std::move(choose))
    {
    }

    // Both families, the second one also when the first one fails. Returns what was removed.
    // Errors: "could not teardown ipv4 dnat: ..."; kUnsupported "neither iptables nor ip6tables is
    // usable, ..." when the legacy tables may hold something and neither program is there.
    Result<std::vector<PublishedPort>> everywhere();

    // One family; programs that are missing are no error.
    Result<std::vector<PublishedPort>> in(Family family);

private:
    struct Removed {
        std::vector<PublishedPort> ports;
        std::optional<Error> unusable;  // this family's program cannot be used at all
    };
    Result<Removed> in_family(Family family);
    Result<std::vector<PublishedPort>> over_nf_tables(Family family);
    Result<Removed> from_legacy(Family family);

    std::string_view search_path_;
    Lock lock_;
    ChooseChains choose_;
};

}  // namespace tortie
