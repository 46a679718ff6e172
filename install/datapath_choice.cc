// SPDX-License-Identifier: Apache-2.0
#include "install/datapath_choice.h"

#include "base/strings.h"
#include "caps/decision.h"
#include "caps/report.h"

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

}  // namespace tortie::installer
