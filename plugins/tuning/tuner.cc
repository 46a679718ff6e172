// SPDX-License-Identifier: Apache-2.0
#include "tuning/tuner.h"

#include <linux/netlink.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "sys/sysctl.h"

namespace tortie::tuning {
namespace {

using Applied = tl::expected<void, cni::CniError>;

// The original hands the kernel's refusal on bare, "invalid argument"; the log says of what.
Applied bare(Result<> done)
{
    if (done)
        return {};
    const Error &error = done.error();
    if (error.sys_errno() == 0)
        return tl::make_unexpected(cni::CniError(error));
    cni::CniError refusal(cni::Code::kUnspecified, go_errno_text(error.sys_errno()));
    refusal.cause = error.what();
    return tl::make_unexpected(std::move(refusal));
}

bool logged(const Result<> &done)
{
    if (!done)
        log::warn("cannot restore", {{"error", done.error().what()}});
    return done.has_value();
}

// The final newline is for lists: an empty text changes nothing, an empty line empties them.
Result<> restore_sysctl(const std::string &name, const std::string &value)
{
    auto written = write_sysctl(name, value + '\n');
    if (!written && written.error().kind() == ErrorKind::kNotFound)
        return {};
    return written;
}

// What can only be written (route/flush), or was never written (stable_secret). After any other
// failure there is a value, and DEL would have to know it.
bool has_no_value(std::string_view name, const Error &error)
{
    return error.sys_errno() == EACCES ||
           (error.sys_errno() == EIO && name.ends_with("/stable_secret"));
}

}  // namespace

Result<Tuner> Tuner::with_link(const std::string &ifname)
{
    Tuner tuner;
    TORTIE_TRY(tuner.socket_, NetlinkSocket::open(NETLINK_ROUTE));
    auto link = find_link(*tuner.socket_, ifname);
    if (link) {
        tuner.link_ = *std::move(link);
        return tuner;
    }
    const Error &error = link.error();
    const std::string doing = "failed to get " + go_quoted(ifname);
    if (error.kind() == ErrorKind::kNotFound)
        return fail(ErrorKind::kNotFound, doing + ": Link not found");
    if (error.sys_errno() != 0)
        return fail(go_error(error.sys_errno(), doing));
    return fail(Error(error).within(doing));
}

Result<Settings> Tuner::read(const Settings &wanted) const
{
    Settings now;
    for (const auto &[name, value] : wanted.sysctls) {
        auto read = read_sysctl(name);
        if (!read && read.error().sys_errno() == EISDIR)  // the original opens it for writing first
            return fail(go_error(EISDIR, "open /proc/sys/net/" + name));
        if (read)
            now.sysctls.emplace(name, *std::move(read));
        else if (!has_no_value(name, read.error()))
            return fail(std::move(read).error());
    }
    if (wanted.mac && !link().mac.empty())
        now.mac = link().mac;
    if (wanted.promisc)
        now.promisc = link().promisc();
    if (wanted.mtu)
        now.mtu = link().mtu;
    if (wanted.allmulti)
        now.allmulti = link().allmulti();
    if (wanted.tx_queue_len)
        now.tx_queue_len = link().tx_queue_len;
    return now;
}

Applied Tuner::apply(const Settings &wanted, const Settings &before)
{
    for (const auto &[name, value] : wanted.sysctls) {
        if (const auto old = before.sysctls.find(name); old != before.sysctls.end())
            changed_.sysctls.insert(*old);
        if (auto written = write_sysctl(name, value); !written)
            return tl::make_unexpected(
                cni::CniError(cni::Code::kUnspecified, written.error().what()));
    }
    return apply_to_link(wanted, before);
}

Applied Tuner::apply_to_link(const Settings &wanted, const Settings &before)
{
    if (wanted.mac) {
        changed_.mac = before.mac;
        TORTIE_DO(bare(set_mac(*socket_, *link_, *wanted.mac)));
    }
    if (wanted.promisc) {
        changed_.promisc = before.promisc;
        TORTIE_DO(bare(set_promisc(*socket_, *link_, *wanted.promisc)));
    }
    if (wanted.mtu) {
        changed_.mtu = before.mtu;
        TORTIE_DO(bare(set_mtu(*socket_, *link_, *wanted.mtu)));
    }
    if (wanted.allmulti) {
        changed_.allmulti = before.allmulti;
        TORTIE_DO(bare(set_allmulti(*socket_, *link_, *wanted.allmulti)));
    }
    if (wanted.tx_queue_len) {
        changed_.tx_queue_len = before.tx_queue_len;
        TORTIE_DO(bare(set_tx_queue_len(*socket_, *link_, *wanted.tx_queue_len)));
    }
    return {};
}

bool Tuner::undo()
{
    if (link_) {
        if (auto now = find_link(*socket_, link_->name))
            link_ = *std::move(now);
    }
    return restore(std::exchange(changed_, {}));
}

bool Tuner::restore(const Settings &before)
{
    bool all = !link_ || restore_link(before);
    // In the order in which they were set: "all" sorts before an interface, and writing it again
    // overwrites what the interface had.
    for (const auto &[name, value] : before.sysctls)
        all = logged(restore_sysctl(name, value)) && all;
    return all;
}

// What the link has already is not set again: a driver may refuse even that.
bool Tuner::restore_link(const Settings &before)
{
    const Link &now = link();
    bool all = true;
    if (before.mtu && *before.mtu != now.mtu)
        all = logged(set_mtu(*socket_, now, *before.mtu)) && all;
    if (before.mac && *before.mac != now.mac)
        all = logged(set_mac(*socket_, now, *before.mac)) && all;
    if (before.promisc && *before.promisc != now.promisc())
        all = logged(set_promisc(*socket_, now, *before.promisc)) && all;
    if (before.allmulti && *before.allmulti != now.allmulti())
        all = logged(set_allmulti(*socket_, now, *before.allmulti)) && all;
    if (before.tx_queue_len && *before.tx_queue_len != now.tx_queue_len)
        all = logged(set_tx_queue_len(*socket_, now, *before.tx_queue_len)) && all;
    return all;
}

}  // namespace tortie::tuning
