// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_removal.h"

#include <linux/netlink.h>

#include <vector>

#include "datapath/ebpf_flows.h"
#include "loader/attach.h"
#include "loader/portmap_object.h"
#include "sys/conntrack.h"
#include "sys/link.h"
#include "sys/netlink.h"

namespace tortie {
namespace {

// The flows of an ABI whose tables cannot be read from here are known to conntrack, with all
// others.
Result<> release_flows(const PinPlaces &places, const std::vector<unsigned> &abis)
{
    EbpfSettings settings;
    settings.places = places;
    const auto own = EbpfNode::open(settings);
    if (own)
        TORTIE_DO(switch_off(*own));
    const bool is_own_alone = own && abis.size() == 1 && abis.front() == settings.abi;
    if (!is_own_alone)
        TORTIE_DO(accept_any_window_of_translated());
    return {};
}

Result<> remove_abi(const PinFolder &folder, NetlinkSocket &route, const std::vector<Link> &links)
{
    Attacher attacher(folder, AttachWay::kClsact, route);
    for (const Link &link : links) {
        for (const HookedProgram &program : {kPodProgram, kUplinkProgram})
            TORTIE_DO(attacher.detach(program, link.index));
    }
    return folder.remove();
}

}  // namespace

Result<> remove_ebpf(const PinPlaces &places)
{
    const PinRoot root(places);
    TORTIE_TRY(const std::vector<unsigned> known, root.abis());
    if (known.empty())
        return {};
    return root.exclusively([&]() -> Result<> {
        TORTIE_TRY(NetlinkSocket route, NetlinkSocket::open(NETLINK_ROUTE));
        TORTIE_TRY(const std::vector<Link> links, list_links(route));
        TORTIE_TRY(const std::vector<unsigned> abis, root.abis());
        TORTIE_DO(release_flows(places, abis));
        for (const unsigned abi : abis)
            TORTIE_DO(remove_abi(root.folder(abi), route, links));
        return {};
    });
}

}  // namespace tortie
