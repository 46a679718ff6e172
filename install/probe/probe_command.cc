// SPDX-License-Identifier: Apache-2.0
#include "install/probe/probe_command.h"

#include "caps/decision.h"
#include "caps/report.h"
#include "caps/table.h"
#include "datapath/ebpf_dump.h"

namespace tortie {
namespace {

constexpr std::string_view kHelp =
    R"(Asks the running kernel what it can, and says which way host ports would be carried.

  --json            the report as JSON, as it is kept on a node
  --dump            what the programs do here now: uplinks, pods, host ports, flows, counts
  --datapath WISH   decide for auto (as without), ebpf, ebpf-full or netfilter

TORTIE_DISABLE=tcx_link,... decides as if the kernel had not what is named.
Needs root. Nothing on the node is changed. The answers: docs/fallback.md.
Exit status: 0; 1 when the wish cannot be had; 2 for arguments that mean nothing.
)";

std::string text_of(const caps::Report &report, const caps::Decision &decision)
{
    std::string text = "kernel " + report.identity.kernel_release + ", boot " +
                       report.identity.boot_id + ", version " + report.identity.product + "\n\n";
    text.append(caps::table_of(report.findings)).append("\n").append(caps::text_of(decision));
    return text;
}

}  // namespace

Result<ProbeArguments> parse_probe_arguments(std::span<const char *const> arguments)
{
    ProbeArguments parsed;
    while (!arguments.empty()) {
        const std::string_view word = arguments.front();
        arguments = arguments.subspan(1);
        if (word == "--help" || word == "-h") {
            parsed.help = true;
        } else if (word == "--json") {
            parsed.json = true;
        } else if (word == "--dump") {
            parsed.dump = true;
        } else if (word == "--datapath" && !arguments.empty()) {
            parsed.datapath = arguments.front();
            arguments = arguments.subspan(1);
        } else {
            return fail(ErrorKind::kInvalidInput, "cannot make sense of " + std::string(word));
        }
    }
    return parsed;
}

std::string_view probe_help()
{
    return kHelp;
}

Result<std::string> run_probe(const ProbeArguments &arguments, caps::Prober &prober)
{
    if (arguments.dump)
        return dump_ebpf({});
    const auto datapath = caps::find_datapath(arguments.datapath);
    if (!datapath)
        return fail(
            ErrorKind::kInvalidInput,
            "datapath must be auto, ebpf, ebpf-full or netfilter, not " + arguments.datapath);
    TORTIE_TRY(const caps::CapabilitySet disabled, caps::parse_capabilities(arguments.disabled));
    TORTIE_TRY(caps::Report report, caps::fresh_report(prober));
    caps::switch_off(report.findings, disabled);
    TORTIE_TRY(const caps::Decision decision,
               caps::decide(report.findings, {.datapath = *datapath, .netfilter = {}}));
    return arguments.json ? caps::to_json(report, decision) : text_of(report, decision);
}

}  // namespace tortie
