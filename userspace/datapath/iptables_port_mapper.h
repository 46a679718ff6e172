// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/file_lock.h"
#include "datapath/hostport_removal.h"
#include "datapath/port_mapper.h"
#include "sys/iptables.h"

namespace tortie {

// Host ports as chains and rules of table nat, the same as the Go plugin's (iptables_rules.h).
// At most two children a family and call, iptables-save and iptables-restore, with the node's other
// users of this class kept out between the two; what nf_tables holds is withdrawn without any.
//
// That lock is held across children, against the house rule: what iptables-restore is told depends
// on what iptables-save said, and 30 ADDs at once would otherwise append each shared jump 30 times.
// Both have deadlines, the children's the shorter one. An ADD that finds the shared chains in place
// goes on without the lock: it makes a chain of its own and appends jumps to it, and so may others.
class IptablesPortMapper final : public PortMapper {
public:
    // `search_path` is the caller's PATH. `lock_path`'s folder is made when it is missing.
    IptablesPortMapper(std::string search_path, std::string lock_path);

    // Errors also: kUnsupported "failed to open iptables: ..." when a program is missing;
    // "unable to setup DNAT: ...".
    Result<std::vector<PublishedPort>> publish(const Publication &publication) override;

    Result<> check(const Publication &publication) override;

    // No child unless the legacy tables are in use (hostport_removal.h).
    Result<std::vector<PublishedPort>> withdraw(const Publication &publication) override;

    Result<std::vector<PublishedPort>> collect_garbage(
        const std::string &network, const std::vector<Attachment> &valid) override;

private:
    Result<FileLock> lock() const;
    HostportRemoval removal_of(const Publication &publication) const;  // borrows both

    // The lock, unless the shared chains and jumps are in place.
    Result<std::optional<FileLock>> lock_to_share(const Iptables &iptables, Family family,
                                                  const PortPolicy &policy) const;
    Result<> publish_family(const Publication &publication, const Cidr &cidr,
                            std::vector<PublishedPort> &held);
    Result<> check_family(const Publication &publication, const Cidr &cidr);

    std::string search_path_;
    std::string lock_path_;
};

}  // namespace tortie
