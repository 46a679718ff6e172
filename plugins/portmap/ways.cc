// SPDX-License-Identifier: Apache-2.0
#include "portmap/ways.h"

#include <fcntl.h>

#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace tortie::portmap {
namespace {

constexpr const char *kIptablesLock = "/run/tortie/portmap-iptables.lock";

// There once somebody was told that the programs cannot be had.
constexpr const char *kTold = "/run/tortie/portmap-netfilter-only";

EbpfIs need_of(Datapath datapath)
{
    return datapath == Datapath::kAuto ? EbpfIs::kWished : EbpfIs::kRequired;
}

EbpfSettings settings_of(const Config &config)
{
    EbpfSettings settings;
    settings.full = config.datapath == Datapath::kEbpfFull;
    return settings;
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
      nftables_(search_path),
      iptables_(search_path, kIptablesLock),
      ebpf_(netfilter_, settings_of(config), need_of(config.datapath))
{
}

Result<std::vector<PublishedPort>> Ways::publish()
{
    if (config_.datapath == Datapath::kNetfilter)
        return netfilter_.publish(config_.publication);
    auto held = ebpf_.publish(config_.publication);
    if (held && ebpf_.refusal())
        tell_once(*ebpf_.refusal());
    return held;
}

Result<> Ways::check()
{
    if (config_.datapath == Datapath::kNetfilter)
        return netfilter_.check(config_.publication);
    return ebpf_.check(config_.publication);
}

}  // namespace tortie::portmap
