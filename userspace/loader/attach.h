// SPDX-License-Identifier: Apache-2.0
//
// Programs at devices: as tcx links, pinned so that they outlive the process, or as filters of the
// device's clsact qdisc. A second pair of programs at the same devices is another line in the
// caller's table and nothing here.
//
//   constexpr HookedProgram kReply = {.program = "tt_pm_reply", .hook = TcHook::kIngress};
//   TORTIE_DO(attacher.attach(kReply, veth.index));
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loader/pins.h"
#include "sys/netlink.h"
#include "sys/traffic_control.h"

namespace tortie {

enum class AttachWay : std::uint8_t {
    kTcx,     // Linux 6.6: several owners, no qdisc, cannot be removed by accident
    kClsact,  // Linux 4.5
};

// A program of ours and its place at a device. A program's order among ours is that of `rank`:
// lower ones see a packet first.
struct HookedProgram {
    std::string_view program;  // at most 15 bytes, begins with "tt_"; its pin's name
    TcHook hook = TcHook::kIngress;
    std::uint16_t rank = 0;  // below 16
};

// What a filter of ours is called by, whichever program it is.
inline constexpr std::string_view kOurPrefix = "tt_";

// Where our filters are: behind everybody whose priority is lower, so that what others decide is
// decided before a packet is ours. Fixed numbers: DEL finds them without a file.
constexpr TcSlot slot_of(const HookedProgram &hooked)
{
    return {.priority = static_cast<std::uint16_t>(0x7470 + hooked.rank), .handle = 0x7474};
}

class Attacher {
public:
    // Both outlive this; `route` is a NETLINK_ROUTE socket of the node's namespace. `way` is how
    // attach() attaches; everything else knows both.
    Attacher(const PinFolder &pins, AttachWay way, NetlinkSocket &route)
        : pins_(pins), way_(way), route_(route)
    {
    }

    // Afterwards the folder's program sees every packet at the hook, once: what this or another
    // ABI of ours had there is replaced in one step, also when it was attached the other way.
    // Nothing is written when it is so already.
    // Errors: kExists when a foreign filter stands in our slot, kNotFound when the device or the
    // program's pin is gone, kUnsupported when the kernel cannot.
    Result<> attach(const HookedProgram &hooked, int ifindex);

    // The same without waiting for it. The kernel makes whoever attaches a tcx link wait until no
    // processor is in the list of programs that it replaces (a grace period of RCU, 5 to 20 ms):
    // a child of this process does that, with nothing open but what it needs, and outlives it. When
    // it fails nobody hears of it; is_attached() tells.
    Result<> attach_soon(const HookedProgram &hooked, int ifindex);

    // Whether the kernel has tcx for this device.
    static bool has_tcx(int ifindex);

    // Whether it is this folder's program that is attached, in either way.
    Result<bool> is_attached(const HookedProgram &hooked, int ifindex);

    // Afterwards no program of ours by that name is at the hook, or only for the moment that the
    // kernel takes. Success when there was none, and when the device is gone. Foreign ones are left
    // alone.
    Result<> detach(const HookedProgram &hooked, int ifindex);

    // Takes over the tcx links of another ABI's folder: those whose program this folder has, too,
    // run it from here on, with no packet in between, and are pinned here. Filters of clsact need
    // no such step: attach() replaces them.
    Result<> take_over_links(const PinFolder &other);

    // Unpins the links of devices that are gone.
    Result<> sweep_links();

private:
    struct OpenProgram {
        std::string name;
        UniqueFd fd;
        std::uint32_t id = 0;
    };

    Result<const OpenProgram *> open_program(std::string_view program);
    Result<std::optional<TcFilter>> find_filter(const HookedProgram &hooked, int ifindex);
    Result<> attach_tcx(const HookedProgram &hooked, int ifindex);
    Result<> link_anew(const HookedProgram &hooked, int ifindex);
    static Result<> make_link(const OpenProgram &program, TcHook hook, int ifindex,
                              const std::string &pin);
    Result<> attach_clsact(const HookedProgram &hooked, int ifindex);
    Result<> detach_tcx(const HookedProgram &hooked, int ifindex) const;
    Result<> detach_clsact(const HookedProgram &hooked, int ifindex);

    const PinFolder &pins_;
    AttachWay way_;
    NetlinkSocket &route_;
    std::deque<OpenProgram> programs_;  // opened when first needed
};

// What else looks at the device's packets at ingress or egress: the first tc filter or tcx program
// that is not ours, described for people; nullopt when there is none.
// Errors: kNotFound when the device is gone.
Result<std::optional<std::string>> find_foreign_program(NetlinkSocket &route, int ifindex);

}  // namespace tortie
