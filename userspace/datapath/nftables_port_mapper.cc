// SPDX-License-Identifier: Apache-2.0
#include "datapath/nftables_port_mapper.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "datapath/go_hostport_rules.h"
#include "datapath/nftables_check.h"
#include "datapath/nftables_layout.h"
#include "datapath/port_board.h"
#include "datapath/port_change.h"
#include "datapath/port_claim.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie {
namespace {

const std::vector<std::string> &conditions_of(const PortPolicy &policy, Family family)
{
    return family == Family::kIpv4 ? policy.conditions_v4 : policy.conditions_v6;
}

std::vector<ClaimSite> sites_of(const Publication &publication)
{
    const PortSpace v4 = PortSpace::of(Family::kIpv4, publication.policy.conditions_v4);
    const PortSpace v6 = PortSpace::of(Family::kIpv6, publication.policy.conditions_v6);
    std::vector<ClaimSite> sites;
    for (PortClaim &claim : claims_of(publication)) {
        const PortSpace &space = claim.family() == Family::kIpv4 ? v4 : v6;
        sites.push_back({.space = space, .claim = std::move(claim)});
    }
    return sites;
}

// Where the attachment's claims are expected. DEL may not know the addresses: they stand in no
// key.
std::vector<ClaimSite> expected_sites(const Publication &publication)
{
    Publication both = publication;
    both.addresses = {*Cidr::parse("0.0.0.0/32"), *Cidr::parse("::/128")};
    return sites_of(both);
}

std::vector<PortSpace> spaces_of(const Publication &publication)
{
    std::vector<PortSpace> spaces;
    for (const Cidr &address : publication.addresses)
        spaces.push_back(PortSpace::of(address.addr.family(),
                                       conditions_of(publication.policy, address.addr.family())));
    return spaces;
}

// How many claims the attachment has by its own account; nullopt when it has no account.
Result<std::optional<std::uint32_t>> published_count(nft::NfTables &tables, const ClaimOwner &owner)
{
    const nft::Fields key = published_key(owner);
    const nft::NfTables::Question question{.set = kPublishedMap, .key = &key};
    TORTIE_TRY(const auto answers, tables.find(tortie_table(), {&question, 1}));
    if (!answers[0])
        return std::optional<std::uint32_t>();
    return std::optional(answers[0]->data.mark(0));
}

// Puts every claim of the owner on the board: those at `sites`, and when the owner's account says
// that there are more, whatever a look at everything finds.
Result<> look_at_all(nft::NfTables &tables, PortBoard &board, const ClaimOwner &owner,
                     const std::vector<ClaimSite> &sites, std::optional<std::uint32_t> count)
{
    TORTIE_DO(board.look_at(tables, sites));
    if (!count || *count == board.claims_of_owner(owner).size())
        return {};
    TORTIE_TRY(const auto found,
               scan_claims(tables, [&](const ClaimOwner &other) { return other == owner; }));
    return board.look_at(tables, found);
}

void write_account(nft::Batch &batch, const ClaimOwner &owner, bool is_there, std::size_t claims)
{
    if (is_there)
        batch.delete_elements(kPublishedMap, std::vector{published_key(owner)});
    if (claims > 0)
        batch.add_elements(kPublishedMap, std::vector{published_element(
                                              owner, static_cast<std::uint32_t>(claims))});
}

void warn_of_holders(const PortChange &change)
{
    for (const PortChange::Met &met : change.met())
        log::warn("host port is taken and stays with the older pod",
                  {{"port", met.claim.to_string()},
                   {"holder", met.holder.owner.key.empty() ? "somebody else"
                                                           : met.holder.owner.to_string()}});
}

std::vector<PublishedPort> holders_of(const PortChange &change)
{
    std::vector<PublishedPort> holders;
    for (const PortChange::Met &met : change.met())
        holders.push_back(met.holder.published());
    return holders;
}

// One publication, as often as it takes.
class Publishing {
public:
    Publishing(nft::NfTables &tables, const Publication &publication, std::string_view search_path)
        : tables_(tables),
          search_path_(search_path),
          owner_(ClaimOwner::of(publication.attachment)),
          sites_(sites_of(publication)),
          spaces_(spaces_of(publication))
    {
    }

    Result<std::vector<PublishedPort>> attempt();

private:
    Result<> make_entries(const LayoutState &layout);
    bool write_layout(const LayoutState &layout, nft::Batch &batch) const;
    Error judge(Error error, bool wrote_layout);

    nft::NfTables &tables_;
    std::string_view search_path_;
    ClaimOwner owner_;
    std::vector<ClaimSite> sites_;
    std::vector<PortSpace> spaces_;
    bool made_entries_ = false;
    bool whole_layout_ = false;  // write it even where the rules look complete
};

Result<std::vector<PublishedPort>> Publishing::attempt()
{
    TORTIE_TRY(const std::uint32_t generation, tables_.generation());
    TORTIE_TRY(const LayoutState layout, LayoutState::read(tables_));
    TORTIE_DO(make_entries(layout));

    PortBoard board;
    TORTIE_TRY(const auto count, published_count(tables_, owner_));
    TORTIE_DO(look_at_all(tables_, board, owner_, sites_, count));
    const PortChange change(
        board, [&](const PortClaim &claim) { return claim.owner == owner_; }, sites_, generation);

    nft::Batch batch(tortie_table(), generation);
    const bool wrote_layout = write_layout(layout, batch);
    TORTIE_DO(change.write(tables_, layout, batch));
    write_account(batch, owner_, count.has_value(), sites_.size());
    if (auto done = tables_.commit(std::move(batch)); !done)
        return fail(judge(std::move(done).error(), wrote_layout));
    warn_of_holders(change);
    return holders_of(change);
}

Result<> Publishing::make_entries(const LayoutState &layout)
{
    for (const PortSpace &space : spaces_) {
        if (layout.has_entry(space))
            continue;
        if (made_entries_)
            return fail(ErrorKind::kSystem, "nft did not make the rule of the conditions");
        TORTIE_TRY(const std::string script, entry_script(space));
        TORTIE_TRY(const std::string nft, find_program("nft", search_path_));
        TORTIE_TRY(
            const Exit exit,
            run_command({.argv = {nft, "-f", "-"}, .env = minimal_environment(), .input = script}));
        if (exit.status != 0)
            return fail(ErrorKind::kInvalidInput,
                        "nft refuses the conditions: " + std::string(trim(exit.diagnostics)));
    }
    const bool complete = std::all_of(spaces_.begin(), spaces_.end(), [&](const PortSpace &space) {
        return layout.has_entry(space);
    });
    if (complete)
        return {};
    made_entries_ = true;
    return fail(ErrorKind::kTryAgain, "nf_tables changed: the rule of the conditions is new");
}

bool Publishing::write_layout(const LayoutState &layout, nft::Batch &batch) const
{
    bool wrote = false;
    const auto need = [&](bool there) {
        wrote = wrote || !there || whole_layout_;
        return !there || whole_layout_;
    };
    if (need(layout.has_base()))
        layout.add_base(batch);
    if (need(layout.has_guard()))
        layout.add_guard(batch);
    std::vector<PortSpace> spaces = spaces_;
    for (const Family family : {Family::kIpv4, Family::kIpv6})
        spaces.push_back(PortSpace::of(family, {}));
    std::set<std::string> seen;
    for (const PortSpace &space : spaces) {
        if (seen.insert(space.suffix).second && need(layout.has_space(space)))
            layout.add_space(batch, space);
    }
    return wrote;
}

// What a failed transaction means. One that wrote the layout has asked for everything that it
// uses: what is missing then is missing in the kernel. One that did not has found a set gone that
// no rule holds.
Error Publishing::judge(Error error, bool wrote_layout)
{
    const bool is_missing = error.kind() == ErrorKind::kNotFound || error.sys_errno() == EINVAL;
    if (!is_missing)
        return error;
    if (wrote_layout)
        return {ErrorKind::kUnsupported, error.what()};
    whole_layout_ = true;
    return {ErrorKind::kTryAgain, error.what()};
}

// Withdraws all claims on the board that `goes` says yes to, in one transaction, and the accounts
// of their owners.
Result<std::vector<PublishedPort>> withdraw_on(nft::NfTables &tables, const PortBoard &board,
                                               std::uint32_t generation,
                                               const std::vector<ClaimOwner> &accounts,
                                               const PortChange::Goes &goes)
{
    const PortChange change(board, goes, {}, generation);
    if (change.empty() && accounts.empty())
        return std::vector<PublishedPort>();
    TORTIE_TRY(const LayoutState layout, LayoutState::read(tables));
    nft::Batch batch(tortie_table(), generation);
    TORTIE_DO(change.write(tables, layout, batch));
    for (const ClaimOwner &owner : accounts)
        write_account(batch, owner, true, 0);
    TORTIE_DO(tables.commit(std::move(batch)));
    return change.withdrawn();
}

Result<std::vector<PublishedPort>> withdraw_once(nft::NfTables &tables,
                                                 const Publication &publication)
{
    const ClaimOwner owner = ClaimOwner::of(publication.attachment);
    TORTIE_TRY(const std::uint32_t generation, tables.generation());
    PortBoard board;
    TORTIE_TRY(const auto count, published_count(tables, owner));
    TORTIE_DO(look_at_all(tables, board, owner, expected_sites(publication), count));
    std::vector<ClaimOwner> accounts;
    if (count)
        accounts.push_back(owner);
    return withdraw_on(tables, board, generation, accounts,
                       [&](const PortClaim &claim) { return claim.owner == owner; });
}

// What the attachment had before goes; nobody is in the way.
Result<std::vector<PublishedPort>> publish_nothing(nft::NfTables &tables,
                                                   const Publication &publication)
{
    TORTIE_DO(nft::until_undisturbed([&] { return withdraw_once(tables, publication); }));
    return std::vector<PublishedPort>();
}

Result<std::vector<PublishedPort>> collect_once(nft::NfTables &tables, const std::string &network,
                                                const std::vector<Attachment> &valid)
{
    const std::string network_key = ClaimOwner::of({network, {}, {}}).network_key;
    std::set<std::string> keep;
    for (const Attachment &attachment : valid)
        keep.insert(ClaimOwner::of(attachment).key);
    const auto goes = [&](const ClaimOwner &owner) {
        return owner.network_key == network_key && !keep.contains(owner.key);
    };

    TORTIE_TRY(const std::uint32_t generation, tables.generation());
    TORTIE_TRY(const auto found, scan_claims(tables, goes));
    PortBoard board;
    TORTIE_DO(board.look_at(tables, found));
    std::vector<ClaimOwner> accounts;
    std::set<std::string> seen;
    for (const ClaimSite &site : found) {
        if (!seen.insert(site.claim.owner.key).second)
            continue;
        TORTIE_TRY(const auto count, published_count(tables, site.claim.owner));
        if (count)
            accounts.push_back(site.claim.owner);
    }
    return withdraw_on(tables, board, generation, accounts,
                       [&](const PortClaim &claim) { return goes(claim.owner); });
}

}  // namespace

Result<std::vector<PublishedPort>> NftablesPortMapper::publish(const Publication &publication)
{
    TORTIE_TRY(nft::NfTables tables, nft::NfTables::open());
    if (claims_of(publication).empty())
        return publish_nothing(tables, publication);
    Publishing publishing(tables, publication, search_path_);
    return nft::until_undisturbed([&] { return publishing.attempt(); });
}

Result<> NftablesPortMapper::check(const Publication &publication)
{
    const std::vector<ClaimSite> sites = sites_of(publication);
    if (sites.empty())
        return {};
    TORTIE_TRY(nft::NfTables tables, nft::NfTables::open());
    auto checked = check_claims(tables, publication.attachment, sites);
    if (!checked && checked.error().kind() == ErrorKind::kNotFound &&
        check_go_hostport_rules(tables, publication))
        return {};
    return checked;
}

Result<std::vector<PublishedPort>> NftablesPortMapper::withdraw(const Publication &publication)
{
    auto tables = nft::NfTables::open();
    if (!tables && tables.error().kind() == ErrorKind::kUnsupported)
        return std::vector<PublishedPort>();
    if (!tables)
        return fail(std::move(tables).error());
    auto withdrawn = nft::until_undisturbed([&] { return withdraw_once(*tables, publication); });
    if (!withdrawn && withdrawn.error().kind() == ErrorKind::kUnsupported)
        return std::vector<PublishedPort>();
    if (!withdrawn)
        return withdrawn;
    TORTIE_TRY(const std::size_t by_go,
               remove_go_hostport_rules(*tables, publication.attachment.container_id));
    if (by_go > 0) {  // they do not say what they publish in a way that is worth reading
        const auto ports = ports_of(publication);
        withdrawn->insert(withdrawn->end(), ports.begin(), ports.end());
    }
    return withdrawn;
}

Result<std::vector<PublishedPort>> NftablesPortMapper::collect_garbage(
    const std::string &network, const std::vector<Attachment> &valid)
{
    auto tables = nft::NfTables::open();
    if (!tables && tables.error().kind() == ErrorKind::kUnsupported)
        return std::vector<PublishedPort>();
    if (!tables)
        return fail(std::move(tables).error());
    auto collected = nft::until_undisturbed([&] { return collect_once(*tables, network, valid); });
    if (!collected && collected.error().kind() == ErrorKind::kUnsupported)
        return std::vector<PublishedPort>();
    return collected;
}

}  // namespace tortie
