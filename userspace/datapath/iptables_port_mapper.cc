// SPDX-License-Identifier: Apache-2.0
#include "datapath/iptables_port_mapper.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "base/scope_exit.h"
#include "datapath/hostport_chains.h"
#include "datapath/iptables_plan.h"
#include "datapath/iptables_rules.h"
#include "sys/nf_tables.h"

namespace tortie {
namespace {

constexpr std::chrono::seconds kLockDeadline{10};
constexpr std::array<Family, 2> kFamilies = {Family::kIpv4, Family::kIpv6};

std::string dnat_of(Family family)
{
    return family == Family::kIpv4 ? "ipv4 dnat" : "ipv6 dnat";
}

const Cidr *address_of(const Publication &publication, Family family)
{
    for (const Cidr &cidr : publication.addresses)
        if (cidr.addr.family() == family)
            return &cidr;
    return nullptr;
}

// Whether the kernel shows, without a child, that the chains and jumps that all containers share
// are there. What iptables keeps in the legacy tables it does not show.
bool shared_is_in_place(const Iptables &iptables, Family family, const PortPolicy &policy)
{
    if (iptables.variant() != Iptables::Variant::kNfTables)
        return false;
    auto tables = nft::NfTables::open();
    if (!tables)
        return false;
    const nft::Table nat = nft_nat_table(family);
    const auto jumps = [&](std::string_view from, std::string_view to) {
        const auto rules = tables->rules(nat, from);
        return rules && std::any_of(rules->begin(), rules->end(),
                                    [&](const nft::Rule &rule) { return rule.jump == to; });
    };
    return jumps("PREROUTING", kTopDnatChain) && jumps("OUTPUT", kTopDnatChain) &&
           (!needs_own_mark(policy) || (jumps("POSTROUTING", kMasqChain) &&
                                        tables->has_chain(nat, kSetMarkChain).value_or(false)));
}

void log_failure(const Result<std::vector<PublishedPort>> &undone)
{
    if (!undone)
        log::error("cannot undo", {{"cause", undone.error().what()}});
}

void warn_about(const HeldPort &held)
{
    log::warn("host port stays with the container that has had it longer",
              {{"port", std::to_string(held.port.host_port)}, {"holder", held.container_id}});
}

}  // namespace

IptablesPortMapper::IptablesPortMapper(std::string search_path, std::string lock_path)
    : search_path_(std::move(search_path)), lock_path_(std::move(lock_path))
{
}

Result<FileLock> IptablesPortMapper::lock() const
{
    TORTIE_DO(make_directories(lock_path_.substr(0, lock_path_.rfind('/')), 0755));
    return FileLock::acquire(lock_path_, 0600, kLockDeadline);
}

Result<std::optional<FileLock>> IptablesPortMapper::lock_to_share(const Iptables &iptables,
                                                                  Family family,
                                                                  const PortPolicy &policy) const
{
    if (shared_is_in_place(iptables, family, policy))
        return std::nullopt;
    TORTIE_TRY(FileLock alone, lock());
    if (shared_is_in_place(iptables, family, policy))
        return std::nullopt;  // whoever had the lock has seen to it
    return std::optional(std::move(alone));
}

Result<> IptablesPortMapper::publish_family(const Publication &publication, const Cidr &cidr,
                                            std::vector<PublishedPort> &held)
{
    const Family family = cidr.addr.family();
    const auto iptables = Iptables::find(family, search_path_);
    if (!iptables)
        return fail(ErrorKind::kUnsupported, "failed to open iptables: " + iptables.error().what());
    TORTIE_TRY(const auto alone, lock_to_share(*iptables, family, publication.policy));
    const auto text = iptables->save_nat();
    if (!text)
        return fail(Error(text.error()).within("unable to setup DNAT"));
    const SavedNat saved(*text);
    TORTIE_TRY(const std::string input, plan_publish(saved, publication, cidr));
    for (const HeldPort &other : held_by_others(saved, publication, family)) {
        warn_about(other);
        held.push_back(other.port);
    }
    if (input.empty())
        return {};
    auto done = iptables->restore(input);
    if (!done)
        return fail(std::move(done).error().within("unable to setup DNAT"));
    return {};
}

Result<std::vector<PublishedPort>> IptablesPortMapper::publish(const Publication &publication)
{
    HostportRemoval removal = removal_of(publication);
    ScopeExit undo([&] { log_failure(removal.everywhere()); });

    std::vector<PublishedPort> held;
    for (const Family family : kFamilies) {
        const Cidr *cidr = address_of(publication, family);
        if (cidr != nullptr)
            TORTIE_DO(publish_family(publication, *cidr, held));
        else  // an earlier ADD of this container may have had an address here
            TORTIE_DO(removal.in(family));
    }
    undo.dismiss();
    return held;
}

Result<> IptablesPortMapper::check_family(const Publication &publication, const Cidr &cidr)
{
    const Family family = cidr.addr.family();
    TORTIE_TRY(const Iptables iptables, Iptables::find(family, search_path_));
    TORTIE_TRY(const std::string text, iptables.save_nat());
    TORTIE_TRY(const std::string missing, missing_from(SavedNat(text), publication, cidr));
    if (!missing.empty())
        return fail(ErrorKind::kNotFound, missing);
    if (!has_conditions(publication, family))
        return {};
    TORTIE_TRY(const std::string input, check_input(publication, family));
    auto there = iptables.restore(input);
    if (!there && there.error().kind() == ErrorKind::kSystem)
        return fail(ErrorKind::kNotFound, "rule with conditions in chain " +
                                              std::string(kTopDnatChain) +
                                              " not found in table nat: " + there.error().what());
    return there;
}

Result<> IptablesPortMapper::check(const Publication &publication)
{
    for (const Cidr &cidr : publication.addresses)
        if (auto checked = check_family(publication, cidr); !checked)
            return fail(std::move(checked).error().within("could not check " +
                                                          dnat_of(cidr.addr.family())));
    return {};
}

HostportRemoval IptablesPortMapper::removal_of(const Publication &publication) const
{
    return {search_path_, [this] { return lock(); },
            [&publication](const ReadChain &read) { return chains_of(read, publication); }};
}

Result<std::vector<PublishedPort>> IptablesPortMapper::withdraw(const Publication &publication)
{
    return removal_of(publication).everywhere();
}

Result<std::vector<PublishedPort>> IptablesPortMapper::collect_garbage(
    const std::string &network, const std::vector<Attachment> &valid)
{
    HostportRemoval removal(
        search_path_, [this] { return lock(); },
        [&](const ReadChain &read) { return garbage_of(read, network, valid); });
    return removal.everywhere();
}

}  // namespace tortie
