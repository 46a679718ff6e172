// SPDX-License-Identifier: Apache-2.0
#include "loader/attach.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "base/deadline.h"
#include "base/pause.h"
#include "base/strings.h"
#include "loader/bpf_error.h"

namespace tortie {
namespace {

// Debian 12's headers are of Linux 6.1 and do not know tcx.
// Source: enum bpf_attach_type of include/uapi/linux/bpf.h, Linux 6.6.
constexpr int kTcxIngress = 46;
constexpr int kTcxEgress = 47;

constexpr std::chrono::milliseconds kLinkGoes(500);
constexpr std::chrono::milliseconds kLinkPause(1);

bpf_attach_type tcx_type(TcHook hook)
{
    return static_cast<bpf_attach_type>(hook == TcHook::kIngress ? kTcxIngress : kTcxEgress);
}

// No dot, bpffs wants none.
std::string link_name(std::string_view program, int ifindex)
{
    return std::string(program) + '-' + std::to_string(ifindex);
}

struct LinkName {
    std::string program;
    int ifindex = 0;
};

std::optional<LinkName> parse_link_name(std::string_view name)
{
    const std::size_t dash = name.rfind('-');
    if (dash == std::string_view::npos)
        return std::nullopt;
    const auto ifindex = parse_number<int>(name.substr(dash + 1));
    if (!ifindex)
        return std::nullopt;
    return LinkName{.program = std::string(name.substr(0, dash)), .ifindex = *ifindex};
}

struct PinnedLink {
    UniqueFd fd;
    int ifindex = 0;  // 0: the device is gone
    std::uint32_t program_id = 0;
};

// nullopt: nothing is pinned there.
Result<std::optional<PinnedLink>> open_link(const std::string &pin)
{
    PinnedLink link;
    link.fd = UniqueFd(::bpf_obj_get(pin.c_str()));
    if (!link.fd.valid() && errno == ENOENT)
        return std::nullopt;
    if (!link.fd.valid())
        return fail(bpf_error(-errno, "open " + pin));
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (const int err = ::bpf_obj_get_info_by_fd(link.fd.get(), &info, &size); err != 0)
        return fail(bpf_error(err, "look at " + pin));
    // A tcx link tells its device where an XDP link does.
    link.ifindex = static_cast<int>(info.xdp.ifindex);
    link.program_id = info.prog_id;
    return link;
}

Result<> unpin(const std::string &pin)
{
    if (::unlink(pin.c_str()) != 0 && errno != ENOENT)
        return fail_errno(errno, "unpin " + pin);
    return {};
}

Result<std::uint32_t> id_of_program(int fd, std::string_view name)
{
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (const int err = ::bpf_obj_get_info_by_fd(fd, &info, &size); err != 0)
        return fail(bpf_error(err, "look at program " + std::string(name)));
    return info.id;
}

bool is_ours(const TcFilter &filter)
{
    return filter.kind == "bpf" && filter.name.starts_with(kOurPrefix);
}

// Its name; nullopt when it is gone meanwhile.
Result<std::optional<std::string>> name_of_program(std::uint32_t id)
{
    const UniqueFd fd(::bpf_prog_get_fd_by_id(id));
    if (!fd.valid() && errno == ENOENT)
        return std::nullopt;
    if (!fd.valid())
        return fail(bpf_error(-errno, "open program number " + std::to_string(id)));
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (const int err = ::bpf_obj_get_info_by_fd(fd.get(), &info, &size); err != 0)
        return fail(bpf_error(err, "look at program number " + std::to_string(id)));
    return std::string(info.name);
}

// The ids of the tcx programs at the hook; none where the kernel has no tcx.
std::vector<std::uint32_t> tcx_programs(int ifindex, TcHook hook)
{
    std::array<std::uint32_t, 64> ids{};  // BPF_MPROG_MAX is 64
    struct bpf_prog_query_opts query {};  // a function has the same name
    query.sz = sizeof(query);
    query.prog_ids = ids.data();
    query.prog_cnt = ids.size();
    // The device's number stands where a cgroup's descriptor does.
    if (::bpf_prog_query_opts(ifindex, tcx_type(hook), &query) != 0)
        return {};
    return {ids.begin(), ids.begin() + std::min<std::size_t>(query.prog_cnt, ids.size())};
}

std::string describe(const TcFilter &filter, TcHook hook)
{
    return "tc " + filter.kind + " filter" + (filter.name.empty() ? "" : " " + filter.name) +
           " at " + (hook == TcHook::kIngress ? "ingress" : "egress");
}

}  // namespace

Result<const Attacher::OpenProgram *> Attacher::open_program(std::string_view program)
{
    const auto known = std::find_if(programs_.begin(), programs_.end(),
                                    [&](const OpenProgram &open) { return open.name == program; });
    if (known != programs_.end())
        return &*known;
    UniqueFd fd(::bpf_obj_get(pins_.program(program).c_str()));
    if (!fd.valid())
        return fail(bpf_error(-errno, "open " + pins_.program(program)));
    TORTIE_TRY(const std::uint32_t id, id_of_program(fd.get(), program));
    programs_.push_back({.name = std::string(program), .fd = std::move(fd), .id = id});
    return &programs_.back();
}

Result<> Attacher::attach(const HookedProgram &hooked, int ifindex)
{
    return way_ == AttachWay::kTcx ? attach_tcx(hooked, ifindex) : attach_clsact(hooked, ifindex);
}

Result<> Attacher::attach_soon(const HookedProgram &hooked, int ifindex)
{
    if (way_ != AttachWay::kTcx)
        return attach(hooked, ifindex);
    TORTIE_TRY(const bool there, is_attached(hooked, ifindex));
    if (there)
        return {};
    if (!has_tcx(ifindex))
        return fail(ErrorKind::kUnsupported, "no tcx here");
    const pid_t child = ::fork();
    if (child < 0)
        return fail_errno(errno, "fork");
    if (child > 0)
        return {};
    // Whoever started this process waits for the ends of its pipes, and others for its lock.
    const bool closed = ::close_range(0, ~0U, 0) == 0;
    ::_exit(closed && Attacher(pins_, way_, route_).link_anew(hooked, ifindex) ? 0 : 1);
}

// Where the kernel has none it does not know the question either.
bool Attacher::has_tcx(int ifindex)
{
    struct bpf_prog_query_opts query {};
    query.sz = sizeof(query);
    return ::bpf_prog_query_opts(ifindex, tcx_type(TcHook::kIngress), &query) == 0;
}

Result<> Attacher::attach_tcx(const HookedProgram &hooked, int ifindex)
{
    TORTIE_DO(link_anew(hooked, ifindex));
    return detach_clsact(hooked, ifindex);
}

// The link, whether there is one, with this folder's program in it.
Result<> Attacher::link_anew(const HookedProgram &hooked, int ifindex)
{
    TORTIE_TRY(const OpenProgram *program, open_program(hooked.program));
    const std::string pin = pins_.link(link_name(hooked.program, ifindex));
    TORTIE_TRY(const std::optional<PinnedLink> there, open_link(pin));
    if (there && there->ifindex == ifindex && there->program_id == program->id)
        return {};
    if (there && there->ifindex == ifindex) {
        const int err = ::bpf_link_update(there->fd.get(), program->fd.get(), nullptr);
        return err == 0 ? Result<>() : fail(bpf_error(err, "replace the program of " + pin));
    }
    if (there)  // of a device that had this number before
        TORTIE_DO(unpin(pin));
    return make_link(*program, hooked.hook, ifindex, pin);
}

Result<> Attacher::make_link(const OpenProgram &program, TcHook hook, int ifindex,
                             const std::string &pin)
{
    // A program is attached only once: another process was faster, or a link whose pin somebody
    // removed has not gone yet.
    const Deadline deadline = Deadline::in(kLinkGoes);
    UniqueFd link(::bpf_link_create(program.fd.get(), ifindex, tcx_type(hook), nullptr));
    int err = errno;
    while (!link.valid() && err == EEXIST) {
        if (deadline.passed())
            return fail(ErrorKind::kTryAgain,
                        "attach " + program.name + ": it is attached by a link that is not ours");
        pause_for(kLinkPause);
        if (::access(pin.c_str(), F_OK) == 0)
            return {};
        link = UniqueFd(::bpf_link_create(program.fd.get(), ifindex, tcx_type(hook), nullptr));
        err = errno;
    }
    if (!link.valid() && err == EINVAL)
        return fail(ErrorKind::kUnsupported, "attach " + program.name + ": no tcx here");
    if (!link.valid())
        return fail(bpf_error(
            -err, "attach " + program.name + " to interface number " + std::to_string(ifindex)));
    if (::bpf_obj_pin(link.get(), pin.c_str()) != 0)
        return fail(bpf_error(-errno, "pin " + pin));
    return {};
}

Result<> Attacher::attach_clsact(const HookedProgram &hooked, int ifindex)
{
    TORTIE_TRY(const OpenProgram *program, open_program(hooked.program));
    const auto put = [&](IfSlotTaken then) {
        return put_bpf_filter(route_, ifindex, hooked.hook, slot_of(hooked), program->fd.get(),
                              hooked.program, then);
    };
    auto made = put(IfSlotTaken::kFail);
    if (!made && made.error().kind() != ErrorKind::kExists)
        return made;
    if (!made) {
        TORTIE_TRY(const auto filter, find_filter(hooked, ifindex));
        if (filter && !is_ours(*filter))
            return made;
        if (filter && filter->program_id == program->id)
            return {};
        TORTIE_DO(put(IfSlotTaken::kReplace));
    }
    return detach_tcx(hooked, ifindex);
}

Result<std::optional<TcFilter>> Attacher::find_filter(const HookedProgram &hooked, int ifindex)
{
    TORTIE_TRY(const auto filters, list_tc_filters(route_, ifindex, hooked.hook));
    const TcSlot slot = slot_of(hooked);
    for (const TcFilter &filter : filters)
        if (filter.slot.priority == slot.priority)
            return filter;
    return std::nullopt;
}

Result<bool> Attacher::is_attached(const HookedProgram &hooked, int ifindex)
{
    TORTIE_TRY(const OpenProgram *program, open_program(hooked.program));
    TORTIE_TRY(const auto link, open_link(pins_.link(link_name(hooked.program, ifindex))));
    if (link && link->ifindex == ifindex && link->program_id == program->id)
        return true;
    const auto filter = find_filter(hooked, ifindex);
    if (!filter && filter.error().kind() == ErrorKind::kNotFound)
        return false;
    if (!filter)
        return fail(filter.error());
    return *filter && (*filter)->program_id == program->id;
}

Result<> Attacher::detach(const HookedProgram &hooked, int ifindex)
{
    TORTIE_DO(detach_tcx(hooked, ifindex));
    return detach_clsact(hooked, ifindex);
}

// Without its pin a link goes when the kernel gets to it; BPF_LINK_DETACH would wait for it.
Result<> Attacher::detach_tcx(const HookedProgram &hooked, int ifindex) const
{
    return unpin(pins_.link(link_name(hooked.program, ifindex)));
}

Result<> Attacher::detach_clsact(const HookedProgram &hooked, int ifindex)
{
    const auto filter = find_filter(hooked, ifindex);
    if (!filter && filter.error().kind() == ErrorKind::kNotFound)
        return {};
    if (!filter)
        return fail(filter.error());
    if (!*filter || !is_ours(**filter) || (*filter)->name != hooked.program)
        return {};
    return delete_tc_filter(route_, ifindex, hooked.hook, slot_of(hooked));
}

Result<> Attacher::take_over_links(const PinFolder &other)
{
    TORTIE_TRY(const auto names, other.link_names());
    for (const std::string &name : names) {
        const auto parsed = parse_link_name(name);
        if (!parsed || ::access(pins_.program(parsed->program).c_str(), F_OK) != 0)
            continue;
        TORTIE_TRY(const OpenProgram *program, open_program(parsed->program));
        TORTIE_TRY(const std::optional<PinnedLink> link, open_link(other.link(name)));
        if (!link || link->ifindex == 0)
            continue;
        if (const int err = ::bpf_link_update(link->fd.get(), program->fd.get(), nullptr); err != 0)
            return fail(bpf_error(err, "replace the program of " + other.link(name)));
        if (std::rename(other.link(name).c_str(), pins_.link(name).c_str()) != 0)
            return fail_errno(errno, "move " + other.link(name));
    }
    return {};
}

Result<> Attacher::sweep_links()
{
    TORTIE_TRY(const auto names, pins_.link_names());
    for (const std::string &name : names) {
        TORTIE_TRY(const std::optional<PinnedLink> link, open_link(pins_.link(name)));
        if (link && link->ifindex == 0)
            TORTIE_DO(unpin(pins_.link(name)));
    }
    return {};
}

Result<std::optional<std::string>> find_foreign_program(NetlinkSocket &route, int ifindex)
{
    for (const TcHook hook : {TcHook::kIngress, TcHook::kEgress}) {
        TORTIE_TRY(const auto filters, list_tc_filters(route, ifindex, hook));
        const auto foreign = std::find_if_not(filters.begin(), filters.end(), is_ours);
        if (foreign != filters.end())
            return describe(*foreign, hook);
        for (const std::uint32_t id : tcx_programs(ifindex, hook)) {
            TORTIE_TRY(const auto name, name_of_program(id));
            if (name && !name->starts_with(kOurPrefix))
                return "tcx program " + *name;
        }
    }
    return std::nullopt;
}

}  // namespace tortie
