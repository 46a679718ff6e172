// SPDX-License-Identifier: Apache-2.0
#include "datapath/hostport_removal.h"

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "datapath/iptables_plan.h"
#include "sys/iptables.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {
namespace {

constexpr std::array<Family, 2> kFamilies = {Family::kIpv4, Family::kIpv6};

std::string dnat_of(Family family)
{
    return family == Family::kIpv4 ? "ipv4 dnat" : "ipv6 dnat";
}

// The program is not there, or it ran and said no; and not: it could not be run this time.
bool cannot_list(const Error &error)
{
    return error.kind() == ErrorKind::kNotFound ||
           (error.kind() == ErrorKind::kSystem && error.sys_errno() == 0);
}

std::vector<PublishedPort> ports_of(const std::vector<HostportChain> &chains)
{
    std::vector<PublishedPort> ports;
    for (const HostportChain &chain : chains)
        ports.insert(ports.end(), chain.ports.begin(), chain.ports.end());
    return ports;
}

nft::Batch removal_of(const std::vector<HostportChain> &chains, Family family,
                      std::uint32_t generation, bool keep_chains)
{
    nft::Batch batch(nft_nat_table(family), generation);
    for (const HostportChain &chain : chains) {
        for (const HostportChain::Jump &jump : chain.jumps)
            batch.delete_rule(jump.from, jump.handle);
        batch.flush_chain(chain.name);
        if (!keep_chains)
            batch.delete_chain(chain.name);
    }
    return batch;
}

Result<std::vector<PublishedPort>> remove_once(nft::NfTables &tables, Family family,
                                               const ChooseChains &choose)
{
    TORTIE_TRY(const std::uint32_t generation, tables.generation());
    TORTIE_TRY(const auto chains, choose(chains_in(tables, family)));
    if (chains.empty())
        return std::vector<PublishedPort>();
    auto done = tables.commit(removal_of(chains, family, generation, false));
    if (!done && done.error().sys_errno() == EBUSY) {
        // Somebody else's rule leads to one of them: then it stays, with nothing in it.
        log::warn("chain of host ports is in use by others", {{"cause", done.error().what()}});
        done = tables.commit(removal_of(chains, family, generation, true));
    }
    if (!done)
        return fail(std::move(done).error());
    return ports_of(chains);
}

}  // namespace

Result<std::vector<PublishedPort>> HostportRemoval::over_nf_tables(Family family)
{
    auto tables = nft::NfTables::open();
    if (!tables)
        return fail(std::move(tables).error());
    return nft::until_undisturbed([&] { return remove_once(*tables, family, choose_); });
}

// A program that is missing or that cannot list the table (no such table in this kernel) makes the
// family unusable, which is for the caller to judge.
Result<HostportRemoval::Removed> HostportRemoval::from_legacy(Family family)
{
    if (!legacy_nat_in_use(family))
        return Removed{};
    const auto iptables = Iptables::find(family, search_path_);
    if (!iptables)
        return Removed{.ports = {}, .unusable = iptables.error()};
    if (iptables->variant() == Iptables::Variant::kNfTables)
        return Removed{};
    TORTIE_TRY(const FileLock alone, lock_());
    const auto text = iptables->save_nat();
    if (!text && !cannot_list(text.error()))
        return fail(text.error());
    if (!text)
        return Removed{.ports = {}, .unusable = text.error()};

    const SavedNat saved(*text);
    TORTIE_TRY(const auto chains, choose_(chains_in(saved)));
    if (!chains.empty())
        TORTIE_DO(iptables->restore(plan_withdraw(saved, chains)));
    return Removed{.ports = ports_of(chains), .unusable = std::nullopt};
}

Result<HostportRemoval::Removed> HostportRemoval::in_family(Family family)
{
    auto over_nft = over_nf_tables(family);
    if (!over_nft && over_nft.error().kind() != ErrorKind::kUnsupported)
        return fail(std::move(over_nft).error());
    TORTIE_TRY(Removed removed, from_legacy(family));
    if (over_nft)
        removed.ports.insert(removed.ports.end(), over_nft->begin(), over_nft->end());
    return removed;
}

Result<std::vector<PublishedPort>> HostportRemoval::in(Family family)
{
    TORTIE_TRY(Removed removed, in_family(family));
    return std::move(removed.ports);
}

Result<std::vector<PublishedPort>> HostportRemoval::everywhere()
{
    std::vector<PublishedPort> ports;
    std::optional<Error> failed;
    std::array<std::optional<Error>, 2> unusable;
    for (std::size_t i = 0; i < kFamilies.size(); i++) {
        auto removed = in_family(kFamilies[i]);
        if (!removed) {
            failed =
                std::move(removed).error().within("could not teardown " + dnat_of(kFamilies[i]));
            continue;
        }
        unusable[i] = std::move(removed->unusable);
        ports.insert(ports.end(), removed->ports.begin(), removed->ports.end());
    }
    if (failed)
        return fail(*std::move(failed));
    if (unusable[0] && unusable[1])
        return fail(ErrorKind::kUnsupported,
                    "neither iptables nor ip6tables is usable, (iptables) " + unusable[0]->what() +
                        ", (ip6tables) " + unusable[1]->what());
    return ports;
}

}  // namespace tortie
