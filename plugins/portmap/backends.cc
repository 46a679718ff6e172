// SPDX-License-Identifier: Apache-2.0
#include "portmap/backends.h"

#include <optional>
#include <utility>

#include "base/log.h"

namespace tortie::portmap {
namespace {

constexpr Backend other_than(Backend backend)
{
    return backend == Backend::kIptables ? Backend::kNftables : Backend::kIptables;
}

void withdraw_or_log(PortMapper &mapper, const Publication &publication)
{
    if (const auto undone = mapper.withdraw(publication); !undone)
        log::error("cannot undo", {{"cause", undone.error().what()}});
}

}  // namespace

std::string_view name_of(Backend backend)
{
    return backend == Backend::kIptables ? "iptables" : "nftables";
}

Result<Backends::Published> Backends::publish_by(Backend backend, const Publication &publication)
{
    auto held = of(backend).publish(publication);
    if (held)
        return Published{.backend = backend, .held = *std::move(held)};
    if (held.error().kind() != ErrorKind::kUnsupported &&
        held.error().kind() != ErrorKind::kInvalidInput)
        withdraw_or_log(of(backend), publication);
    return fail(std::move(held).error());
}

Result<Backends::Published> Backends::publish(const Config &config)
{
    auto published = publish_by(config.backend, config.publication);
    if (published || config.backend_given || config.backend == Backend::kIptables ||
        published.error().kind() != ErrorKind::kUnsupported)
        return published;
    log::warn("no nf_tables for host ports here, using iptables",
              {{"cause", published.error().what()}});
    return publish_by(Backend::kIptables, config.publication);
}

Result<> Backends::check(const Config &config)
{
    auto checked = of(config.backend).check(config.publication);
    if (!checked && of(other_than(config.backend)).check(config.publication))
        return {};
    return checked;
}

Result<std::vector<PublishedPort>> Backends::withdraw(const Config &config)
{
    std::vector<PublishedPort> removed;
    std::optional<Error> failed;
    for (const Backend backend : {Backend::kNftables, Backend::kIptables}) {
        auto gone = of(backend).withdraw(config.publication);
        const bool asked_for = config.backend_given && config.backend == backend;
        if (gone)
            removed.insert(removed.end(), gone->begin(), gone->end());
        else if (gone.error().kind() != ErrorKind::kUnsupported || asked_for)
            failed = std::move(gone).error();
        else
            log::warn("cannot look for host ports",
                      {{"backend", name_of(backend)}, {"cause", gone.error().what()}});
    }
    if (failed)
        return fail(*std::move(failed));
    return removed;
}

Result<std::vector<PublishedPort>> Backends::collect_garbage(const std::string &network,
                                                             const std::vector<Attachment> &valid)
{
    std::vector<PublishedPort> removed;
    std::optional<Error> failed;
    for (const Backend backend : {Backend::kNftables, Backend::kIptables}) {
        auto gone = of(backend).collect_garbage(network, valid);
        if (gone)
            removed.insert(removed.end(), gone->begin(), gone->end());
        else if (gone.error().kind() != ErrorKind::kUnsupported)
            failed = std::move(gone).error();
    }
    if (failed)
        return fail(*std::move(failed));
    return removed;
}

}  // namespace tortie::portmap
