// SPDX-License-Identifier: Apache-2.0
#include "ipam/session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {

Session::Session(store::Store &store, const std::string &host, View view, Hint &hint,
                 Deadline deadline)
    : store_(store),
      host_(host),
      view_(std::move(view)),
      pools_(usable_pools(view_.pools)),
      hint_(hint),
      deadline_(deadline)
{
}

Result<store::IpamConfig> Session::config()
{
    if (!config_) {
        const store::Query query = store::Key(store::IpamConfigKey{});
        TORTIE_DO(take_config(std::move(store_.read({&query, 1}, deadline_).front())));
    }
    return *config_;
}

Result<void> Session::take_config(store::Found found)
{
    auto held = store::one<store::IpamConfig>(std::move(found));
    if (held) {
        config_ = std::move(held->document);
    } else if (held.error().kind() == ErrorKind::kNotFound) {
        TORTIE_DO(create_config());
    } else if (held.error().kind() == ErrorKind::kTryAgain) {
        return fail(std::move(held).error());
    } else {
        log::warn("IPAM configuration cannot be read, going by the defaults",
                  {{"error", held.error().what()}});
        config_ = store::IpamConfig{};
    }
    hint_.cooldown_s = config_->ip_cooldown_s;
    hint_.cooldown_read_unix_s = unix_now_s();
    return {};
}

Result<void> Session::create_config()
{
    config_ = store::IpamConfig{};
    const store::Write write{
        store::Op::kCreate, store::IpamConfigKey{}, store::IpamConfig{}, {}, 0};
    const auto made = std::move(store_.commit({&write, 1}, deadline_).front());
    if (made)
        return {};
    if (made.error().kind() == ErrorKind::kExists) {
        auto held = store::get<store::IpamConfig>(store_, store::IpamConfigKey{}, deadline_);
        if (held)
            config_ = std::move(held->document);
        return {};
    }
    log::warn("default IPAM configuration could not be created", {{"error", made.error().what()}});
    return {};
}

Cooldown Session::cooldown() const
{
    constexpr std::int64_t kForEver = std::numeric_limits<std::int32_t>::max();
    return {config_ ? config_->ip_cooldown_s : kForEver, unix_now_s()};
}

Result<const kube::StringMap *> Session::node_labels()
{
    if (!labels_) {
        TORTIE_TRY(store::Held<store::Node> node,
                   store::get<store::Node>(store_, store::NodeKey{host_}, deadline_));
        labels_ = std::move(node.document.labels);
    }
    return &*labels_;
}

store::Held<store::Affinity> *Session::affinity_of(const Cidr &block)
{
    const auto found = std::find_if(view_.affinities.begin(), view_.affinities.end(),
                                    [&](const auto &held) { return held.document.cidr == block; });
    return found == view_.affinities.end() ? nullptr : &*found;
}

void Session::forget_affinity(const Cidr &block)
{
    std::erase_if(view_.affinities, [&](const auto &held) { return held.document.cidr == block; });
}

}  // namespace tortie::ipam
