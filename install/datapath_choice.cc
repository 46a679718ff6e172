// SPDX-License-Identifier: Apache-2.0
#include "install/datapath_choice.h"

#include "base/strings.h"
#include "caps/decision.h"
#include "caps/report.h"
#include "cni/json.h"
#include "datapath/other_filters.h"
#include "install/conflist_edit.h"

namespace tortie::installer {
namespace {

std::string variable(const kube::GetEnv &get_env, const char *name)
{
    const char *value = get_env(name);
    return value ? value : "";
}

std::string key_of(const caps::Decision &decision)
{
    switch (decision.ebpf) {
    case caps::Ebpf::kNone:
        return "netfilter";
    case caps::Ebpf::kAdopted:
        return "ebpf";
    case caps::Ebpf::kFull:
        return "ebpf-full";
    }
    return "";
}

// The host's mount is not the container's: that it is not here says nothing about there.
void doubt_what_the_container_hides(caps::Findings &findings)
{
    caps::Finding &bpffs = findings[caps::Capability::kBpffsMounted];
    if (bpffs.support == caps::Support::kNo)
        bpffs = {.support = caps::Support::kUnknown,
                 .evidence = "not mounted into the installer's container"};
}

// Key `backend` in portmap's entry.
std::optional<caps::Netfilter> wished_tier(std::string_view conflist)
{
    const auto config = cni::Json::parse_object(conflist);
    const auto plugins = config.value_or(cni::Json()).elements("plugins");
    if (!plugins)
        return std::nullopt;
    for (const cni::Json &plugin : *plugins) {
        if (plugin.string("type").value_or("") != "portmap")
            continue;
        const std::string backend = plugin.string("backend").value_or("");
        if (backend == name_of(caps::Netfilter::kIptables))
            return caps::Netfilter::kIptables;
        if (backend == name_of(caps::Netfilter::kNftables))
            return caps::Netfilter::kNftables;
    }
    return std::nullopt;
}

// As portmap does it: whether somebody else filters is asked only where it matters.
Result<caps::Decision> decide_on_node(const caps::Findings &findings, caps::Wishes wishes)
{
    auto decision = caps::decide(findings, wishes);
    const bool matters = decision && wishes.datapath == caps::Datapath::kAuto &&
                         decision->ebpf == caps::Ebpf::kNone && decision->full_possible;
    if (!matters)
        return decision;
    TORTIE_TRY(const auto other, find_other_filter());
    wishes.others_filter = other.has_value();
    return caps::decide(findings, wishes);
}

}  // namespace

Result<std::string> wished_datapath(const kube::GetEnv &get_env, const Folder &net_folder)
{
    std::string from = "environment variable TORTIE_DATAPATH";
    std::string wish = variable(get_env, "TORTIE_DATAPATH");
    if (wish.empty()) {
        const auto chosen = net_folder.read(kChoiceName, 64);
        from = net_folder.path_of(kChoiceName);
        wish = chosen ? std::string(trim(*chosen)) : "auto";
    }
    if (!caps::find_datapath(wish))
        return fail(ErrorKind::kInvalidInput,
                    from + " is " + go_quoted(wish) + ", not auto, ebpf, ebpf-full or netfilter");
    return wish;
}

Result<DatapathChoice> choose_datapath(const std::string &wish, const kube::GetEnv &get_env,
                                       caps::Prober &prober)
{
    TORTIE_TRY(const caps::CapabilitySet disabled,
               caps::parse_capabilities(variable(get_env, "TORTIE_DISABLE")));
    const auto datapath = caps::find_datapath(wish).value_or(caps::Datapath::kAuto);
    DatapathChoice choice;
    if (datapath != caps::Datapath::kAuto) {
        choice.key = wish;
        choice.reason = wish + " is asked for";
    }
    auto report = caps::fresh_report(prober);
    if (!report)
        return choice;
    doubt_what_the_container_hides(report->findings);
    const auto decision = [&](caps::Datapath wanted) {
        caps::Findings findings = report->findings;
        caps::switch_off(findings, disabled);
        return caps::decide(findings, {.datapath = wanted, .netfilter = {}});
    };
    const auto found = decision(caps::Datapath::kAuto);
    if (!found)
        return choice;
    if (datapath == caps::Datapath::kAuto) {
        choice.reason = found->reason;
        choice.key = found->certain ? key_of(*found) : "";
    } else if (const auto wished = decision(datapath); !wished) {
        choice.reason = wished.error().what();
    }
    if (found->certain)
        choice.report = caps::to_json(*report, *found);
    return choice;
}

std::optional<DatapathInUse> datapath_in_use(const Folder &net_folder, std::string_view conflist)
{
    const std::string key = datapath_in(conflist);
    const auto wish = caps::find_datapath(key.empty() ? "auto" : key);
    const auto now = caps::read_identity();
    if (!wish || !now)
        return std::nullopt;
    caps::ReportPlaces places;
    places.installed = net_folder.path_of(kReportName);
    auto report = caps::read_report(places, *now);
    if (!report)
        return std::nullopt;
    doubt_what_the_container_hides(report->findings);
    caps::Wishes wishes{.datapath = *wish, .netfilter = wished_tier(conflist)};
    const auto used = decide_on_node(report->findings, wishes);
    wishes.datapath = caps::Datapath::kAuto;
    const auto found = caps::decide(report->findings, wishes);
    if (!used || !used->certain || !found)
        return std::nullopt;
    const bool is_probes =
        *wish == caps::Datapath::kAuto || (found->certain && key == key_of(*found));
    const bool by_hand = net_folder.read(kChoiceName, 64).has_value();
    return DatapathInUse{.backend = used->ebpf == caps::Ebpf::kNone
                                        ? std::string(name_of(used->netfilter))
                                        : key_of(*used),
                         .is_override = by_hand || !is_probes};
}

}  // namespace tortie::installer
