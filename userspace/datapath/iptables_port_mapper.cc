// SPDX-License-Identifier: Apache-2.0
#include "datapath/iptables_port_mapper.h"

#include <linux/netlink.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "base/scope_exit.h"
#include "datapath/iptables_plan.h"
#include "datapath/iptables_rules.h"
#include "sys/nat_lookup.h"

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

// True unless the kernel shows that table nat over nf_tables has nothing of `attachment`. The
// chain of a renamed network has a name that nobody knows, but its jump carries the container id.
bool nft_may_hold(Family family, const Attachment &attachment)
{
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket)
        return true;
    for (const std::string &chain : {dnat_chain_of(attachment), old_snat_chain_of(attachment)})
        if (nft_nat_has_chain(*socket, family, chain).value_or(true))
            return true;
    return nft_nat_has_chain(*socket, family, kTopDnatChain).value_or(true) &&
           nft_nat_mentions(*socket, family, kTopDnatChain,
                            "id: \"" + attachment.container_id + '"')
               .value_or(true);
}

bool nft_has_top_chain(Family family)
{
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    return !socket || nft_nat_has_chain(*socket, family, kTopDnatChain).value_or(true);
}

// Whether the kernel shows, without a child, that the chains and jumps that all containers share
// are there. What iptables keeps in the legacy tables it does not show.
bool shared_is_in_place(const Iptables &iptables, Family family, const PortPolicy &policy)
{
    if (iptables.variant() != Iptables::Variant::kNfTables)
        return false;
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket)
        return false;
    const auto jumps = [&](std::string_view from, std::string_view to) {
        return nft_nat_has_chain(*socket, family, to).value_or(false) &&
               nft_nat_mentions(*socket, family, from, to).value_or(false);
    };
    return jumps("PREROUTING", kTopDnatChain) && jumps("OUTPUT", kTopDnatChain) &&
           (!needs_own_mark(policy) ||
            (jumps("POSTROUTING", kMasqChain) &&
             nft_nat_has_chain(*socket, family, kSetMarkChain).value_or(false)));
}

// One family's tables as far as the kernel shows them without a child.
struct Presence {
    bool nft = true;
    bool legacy = true;

    bool none() const { return !nft && !legacy; }
    bool none_for(Iptables::Variant variant) const
    {
        switch (variant) {
        case Iptables::Variant::kNfTables:
            return !nft;
        case Iptables::Variant::kLegacy:
            return !legacy;
        case Iptables::Variant::kUnknown:
            break;
        }
        return none();
    }
};

// Which chains to remove, given what is there.
using Choose = std::function<std::vector<std::string>(const SavedNat &)>;

struct Removal {
    std::vector<PublishedPort> removed;
    std::optional<Error> unusable;  // this family's program cannot be used at all
};

// The program is not there, or it ran and said no; and not: it could not be run this time.
bool cannot_list(const Error &error)
{
    return error.kind() == ErrorKind::kNotFound ||
           (error.kind() == ErrorKind::kSystem && error.sys_errno() == 0);
}

// Removes the chosen chains of one family. A program that is missing or that cannot list the table
// (no such table in this kernel) makes the family unusable, which is for the caller to judge.
Result<Removal> remove_chains(Family family, const Presence &presence,
                              const std::string &search_path, const Choose &choose)
{
    if (presence.none())
        return Removal{};
    const auto iptables = Iptables::find(family, search_path);
    if (!iptables)
        return Removal{.removed = {}, .unusable = iptables.error()};
    if (presence.none_for(iptables->variant()))
        return Removal{};
    const auto text = iptables->save_nat();
    if (!text && !cannot_list(text.error()))
        return fail(text.error());
    if (!text)
        return Removal{.removed = {}, .unusable = text.error()};

    const SavedNat saved(*text);
    const std::vector<std::string> chains = choose(saved);
    Removal removal;
    for (const std::string &chain : chains)
        for (const PublishedPort &port : ports_of(saved, chain))
            removal.removed.push_back(port);
    const std::string input = plan_withdraw(saved, chains);
    if (!input.empty())
        TORTIE_DO(iptables->restore(input));
    return removal;
}

// remove_chains() for both families, the second one also when the first one fails.
template <class PresenceOf>
Result<std::vector<PublishedPort>> remove_everywhere(const std::string &search_path,
                                                     const PresenceOf &presence_of,
                                                     const Choose &choose)
{
    std::vector<PublishedPort> removed;
    std::optional<Error> failed;
    std::array<std::optional<Error>, 2> unusable;
    for (std::size_t i = 0; i < kFamilies.size(); i++) {
        auto removal = remove_chains(kFamilies[i], presence_of(kFamilies[i]), search_path, choose);
        if (!removal) {
            failed =
                std::move(removal).error().within("could not teardown " + dnat_of(kFamilies[i]));
            continue;
        }
        unusable[i] = std::move(removal->unusable);
        removed.insert(removed.end(), removal->removed.begin(), removal->removed.end());
    }
    if (failed)
        return fail(*std::move(failed));
    if (unusable[0] && unusable[1])
        return fail(ErrorKind::kUnsupported,
                    "neither iptables nor ip6tables is usable, (iptables) " + unusable[0]->what() +
                        ", (ip6tables) " + unusable[1]->what());
    return removed;
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
    const auto presence_of = [&](Family family) {
        return Presence{.nft = nft_may_hold(family, publication.attachment),
                        .legacy = legacy_nat_in_use(family)};
    };
    const auto own = [&](const SavedNat &saved) { return chains_of(saved, publication); };
    ScopeExit undo([&] { log_failure(remove_everywhere(search_path_, presence_of, own)); });

    std::vector<PublishedPort> held;
    for (const Family family : kFamilies)
        if (address_of(publication, family) == nullptr) {
            // An earlier ADD of this container may have had an address here.
            TORTIE_DO(remove_chains(family, presence_of(family), search_path_, own));
        }
    for (const Cidr &cidr : publication.addresses)
        TORTIE_DO(publish_family(publication, cidr, held));
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

Result<std::vector<PublishedPort>> IptablesPortMapper::withdraw(const Publication &publication)
{
    std::array<Presence, 2> presence;
    for (std::size_t i = 0; i < kFamilies.size(); i++)
        presence[i] = {.nft = nft_may_hold(kFamilies[i], publication.attachment),
                       .legacy = legacy_nat_in_use(kFamilies[i])};
    if (presence[0].none() && presence[1].none())
        return std::vector<PublishedPort>();
    TORTIE_TRY(const FileLock held_lock, lock());
    return remove_everywhere(
        search_path_, [&](Family family) { return presence[family == Family::kIpv4 ? 0 : 1]; },
        [&](const SavedNat &saved) { return chains_of(saved, publication); });
}

Result<std::vector<PublishedPort>> IptablesPortMapper::collect_garbage(
    const std::string &network, const std::vector<Attachment> &valid)
{
    TORTIE_TRY(const FileLock held_lock, lock());
    return remove_everywhere(
        search_path_,
        [](Family family) {
            return Presence{.nft = nft_has_top_chain(family), .legacy = legacy_nat_in_use(family)};
        },
        [&](const SavedNat &saved) { return garbage_of(saved, network, valid); });
}

}  // namespace tortie
