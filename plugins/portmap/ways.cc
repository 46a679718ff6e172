// SPDX-License-Identifier: Apache-2.0
#include "portmap/ways.h"

#include <fcntl.h>

#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/unique_fd.h"
#include "caps/prober.h"
#include "caps/report.h"
#include "datapath/other_filters.h"

namespace tortie::portmap {
namespace {

constexpr const char *kIptablesLock = "/run/tortie/portmap-iptables.lock";

// There once somebody was told that the programs cannot be had.
constexpr const char *kTold = "/run/tortie/portmap-netfilter-only";

EbpfIs need_of(caps::Datapath datapath)
{
    return datapath == caps::Datapath::kAuto ? EbpfIs::kWished : EbpfIs::kRequired;
}

EbpfSettings settings_of(const Config &config)
{
    EbpfSettings settings;
    settings.full = config.datapath == caps::Datapath::kEbpfFull;
    settings.full_beside_others = settings.full;
    settings.attach_later = config.datapath == caps::Datapath::kAuto;
    return settings;
}

// What this kernel can, without what TORTIE_DISABLE takes away.
Result<caps::Findings> find_capabilities(const std::string &search_path, std::string_view disabled)
{
    TORTIE_TRY(const caps::CapabilitySet off, caps::parse_capabilities(disabled));
    const auto prober = caps::kernel_prober(search_path);
    TORTIE_TRY(caps::Report report, caps::node_report(*prober));
    caps::switch_off(report.findings, off);
    return report.findings;
}

void tell_once(const Error &cause)
{
    const UniqueFd first(::open(kTold, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const auto level = first.valid() ? log::Level::kWarn : log::Level::kDebug;
    log::event(level, "no BPF programs for host ports here, netfilter carries them alone",
               {{"cause", cause.what()}});
}

}  // namespace

Result<std::vector<PublishedPort>> Netfilter::publish(const Publication & /*publication*/)
{
    TORTIE_TRY(Backends::Published published, backends_.publish(config_));
    published_ = published.backend;
    return std::move(published.held);
}

Result<> Netfilter::check(const Publication & /*publication*/)
{
    return backends_.check(config_);
}

Result<std::vector<PublishedPort>> Netfilter::withdraw(const Publication & /*publication*/)
{
    return published_ ? backends_.withdraw_by(*published_, config_.publication)
                      : backends_.withdraw(config_);
}

Result<std::vector<PublishedPort>> Netfilter::collect_garbage(const std::string &network,
                                                              const std::vector<Attachment> &valid)
{
    return backends_.collect_garbage(network, valid);
}

Ways::Ways(const std::string &search_path, const Config &config)
    : config_(config),
      search_path_(search_path),
      nftables_(search_path),
      iptables_(search_path, kIptablesLock),
      ebpf_(netfilter_, settings_of(config), need_of(config.datapath))
{
}

Result<> Ways::decide()
{
    const char *disabled = get_env("TORTIE_DISABLE");
    if (disabled == nullptr && ebpf_.is_loaded())
        return {};  // that it could be is the best answer
    TORTIE_TRY(const caps::Findings findings,
               find_capabilities(search_path_, disabled == nullptr ? "" : disabled));
    caps::Wishes wishes{.datapath = config_.datapath, .netfilter = {}, .others_filter = true};
    TORTIE_TRY(caps::Decision decision, caps::decide(findings, wishes));
    if (decision.ebpf == caps::Ebpf::kNone && decision.full_possible) {
        TORTIE_TRY(const auto other, find_other_filter());
        wishes.others_filter = other.has_value();
        TORTIE_TRY(decision, caps::decide(findings, wishes));
    }
    if (decision.ebpf == caps::Ebpf::kNone)
        return fail(ErrorKind::kUnsupported, decision.reason);
    EbpfSettings settings = settings_of(config_);
    settings.full = decision.ebpf == caps::Ebpf::kFull;
    settings.attach = decision.attach == caps::Attach::kTcx ? AttachWay::kTcx : AttachWay::kClsact;
    ebpf_.set(std::move(settings));
    return {};
}

Result<std::vector<PublishedPort>> Ways::publish()
{
    const bool nothing = config_.publication.mappings.empty();
    if (config_.datapath == caps::Datapath::kNetfilter || nothing)
        return netfilter_.publish(config_.publication);
    auto decided = decide();
    if (!decided && decided.error().kind() == ErrorKind::kInvalidInput)
        return fail(std::move(decided).error().within("TORTIE_DISABLE"));
    if (!decided)
        return publish_alone(std::move(decided).error());
    auto held = ebpf_.publish(config_.publication);
    refusal_ = ebpf_.refusal();
    if (held && refusal_)
        tell_once(*refusal_);
    return held;
}

Result<std::vector<PublishedPort>> Ways::publish_alone(Error cause)
{
    refusal_ = cause;
    if (need_of(config_.datapath) == EbpfIs::kRequired)
        return fail(std::move(cause));
    tell_once(cause);
    return netfilter_.publish(config_.publication);
}

Result<> Ways::check()
{
    if (config_.datapath == caps::Datapath::kNetfilter)
        return netfilter_.check(config_.publication);
    return ebpf_.check(config_.publication);
}

}  // namespace tortie::portmap
