// SPDX-License-Identifier: Apache-2.0
//
// nf_tables by a transaction like the port mapper's, iptables by its own programs, both in the
// scratch namespace.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "base/subprocess.h"
#include "caps/judge.h"
#include "caps/probes.h"
#include "sys/nf_tables.h"
#include "sys/nf_tables_batch.h"

namespace tortie::caps {
namespace {

constexpr std::string_view kChain = "probe";
constexpr std::string_view kMap = "ports";

// One chain that jumps when the address is local, one rule that translates by a map, one that
// masquerades: what the nftables port mapper is made of.
Result<> publish_by_map()
{
    TORTIE_TRY(nft::NfTables tables, nft::NfTables::open());
    TORTIE_TRY([[maybe_unused]] const std::uint32_t generation, tables.generation());
    nft::Batch batch({.family = nft::TableFamily::kInet, .name = "tortie-probe"});
    batch.add_table();
    batch.add_base_chain("prerouting", {nft::ChainType::kNat, nft::Hook::kPrerouting, -99});
    batch.add_base_chain("postrouting", {nft::ChainType::kNat, nft::Hook::kPostrouting, 101});
    batch.add_chain(kChain);
    batch.add_set({.name = std::string(kMap),
                   .key = {nft::Type::kInetProto, nft::Type::kInetService},
                   .data = {nft::Type::kIpv4Addr, nft::Type::kInetService}});
    batch.add_rule("prerouting", "", [](nft::Expressions &rule) {
        rule.load_fib_type_of_daddr(0);
        rule.require_family(Family::kIpv4);
        rule.jump(kChain);
    });
    batch.add_rule(kChain, "", [](nft::Expressions &rule) {
        rule.require_family(Family::kIpv4);
        rule.load_protocol_and_dport(0);
        rule.lookup(kMap, 0, 0);
        rule.dnat(Family::kIpv4, 0, 1);
    });
    batch.add_rule("postrouting", "", [](nft::Expressions &rule) {
        rule.load_ct_status(0);
        rule.masquerade();
    });
    return tables.commit(std::move(batch));
}

Result<> hook_into_ingress()
{
    TORTIE_TRY(nft::NfTables tables, nft::NfTables::open());
    TORTIE_TRY([[maybe_unused]] const std::uint32_t generation, tables.generation());
    nft::Batch batch({.family = nft::TableFamily::kNetdev, .name = "tortie-probe"});
    batch.add_table();
    batch.add_base_chain("ingress", {.type = nft::ChainType::kFilter,
                                     .hook = nft::kNetdevIngress,
                                     .priority = 0,
                                     .device = "lo"});
    return tables.commit(std::move(batch));
}

Result<> count_flows()
{
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_NETFILTER));
    NetlinkMessage message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS, 0);
    nfgenmsg header{};
    header.version = NFNETLINK_V0;
    message.put_header(header);
    auto asked = socket.query(message, "IPCTNL_MSG_CT_GET_STATS", [](const auto &) {});
    // What nfnetlink says when it has no such subsystem.
    if (!asked && asked.error().sys_errno() == EINVAL)
        return fail(ErrorKind::kUnsupported, asked.error().what());
    return asked;
}

// A chain like the Go plugin's, with the matches that it uses.
constexpr std::string_view kRules =
    "*nat\n"
    ":TORTIE-PROBE - [0:0]\n"
    "-A PREROUTING -m addrtype --dst-type LOCAL -j TORTIE-PROBE\n"
    "-A TORTIE-PROBE -p tcp -m comment --comment probe -m multiport --destination-ports 80,81 "
    "-j DNAT --to-destination 192.0.2.1:80\n"
    "COMMIT\n";

// The programs that every `iptables` of the kind is a link to.
Finding run_iptables(const Scratch &scratch, std::string_view multi)
{
    if (scratch.network().support != Support::kYes)
        return scratch.network();
    if (scratch.mounts().support != Support::kYes)
        return scratch.mounts();
    const auto program = find_program(multi, scratch.search_path());
    if (!program)
        return {Support::kNo, program.error().what()};
    // Its lock file lies there: the node's own must not be waited for.
    ::mount("tortie", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k");

    Command command;
    command.argv = {*program, "iptables-restore", "--noflush"};
    command.env = minimal_environment();
    command.input = kRules;
    command.deadline = std::chrono::seconds(2);
    command.max_output_bytes = std::size_t{64} << 10;
    const std::string doing = *program + " iptables-restore";
    const auto exit = run_command(command);
    if (!exit)
        return {Support::kUnknown, exit.error().what()};
    if (exit->status == 0)
        return {Support::kYes, doing + ": works"};
    // It ran and could not: that its rules are not had here is all that matters. A refusal is
    // told by its words alone.
    const bool refused = exit->diagnostics.find("ermission denied") != std::string::npos ||
                         exit->diagnostics.find("not permitted") != std::string::npos ||
                         exit->status > 128;
    return {refused ? Support::kUnknown : Support::kNo, doing + ": exit status " +
                                                            std::to_string(exit->status) + ": " +
                                                            std::string(trim(exit->diagnostics))};
}

}  // namespace

// kNotFound is a chain type, an expression or a module that is not there.
Finding probe_nft_map(const Scratch &scratch)
{
    if (scratch.network().support != Support::kYes)
        return scratch.network();
    return judge("nf_tables transaction of maps and NAT", publish_by_map(), {ErrorKind::kNotFound});
}

Finding probe_nft_netdev(const Scratch &scratch)
{
    if (scratch.network().support != Support::kYes)
        return scratch.network();
    return judge("nf_tables chain at lo's ingress", hook_into_ingress(), {ErrorKind::kNotFound});
}

Finding probe_iptables_nft(const Scratch &scratch)
{
    return run_iptables(scratch, "xtables-nft-multi");
}

// Before 5.15 loading the legacy tables puts them into the node's own namespace as well, so they
// are not loaded for a question.
Finding probe_iptables_legacy(const Scratch &scratch)
{
    if (::access("/proc/net/ip_tables_names", F_OK) != 0)
        return {Support::kUnknown, "ip_tables is not loaded, and is not loaded to find out"};
    return run_iptables(scratch, "xtables-legacy-multi");
}

Finding probe_conntrack_netlink(const Scratch &scratch)
{
    if (scratch.network().support != Support::kYes)
        return scratch.network();
    return judge("ctnetlink", count_flows());
}

}  // namespace tortie::caps
