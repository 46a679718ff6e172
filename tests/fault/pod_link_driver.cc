// SPDX-License-Identifier: Apache-2.0
//
// A plugin that does nothing but a pod's link: what the drills kill and what they make fail.
#include "cni/skel.h"
#include "datapath/pod_link.h"

namespace {

using namespace tortie;  // NOLINT(google-build-using-namespace): a program of two functions

PodLinkRequest link_of(const cni::Request &request)
{
    PodLinkRequest link;
    link.netns = request.netns;
    link.ifname = request.ifname;
    link.host_ifname = "cali0123456789a";
    link.addresses = {*IpAddr::parse("10.65.0.2"), *IpAddr::parse("dead:beef::2")};
    link.mac = EtherAddr{0x02, 0, 0, 0, 0, 0x2a};
    return link;
}

cni::Answer add(const cni::Request &request)
{
    TORTIE_TRY(const PodLinkState state, create_pod_link(link_of(request)));
    return R"({"cniVersion": "1.0.0", "host": ")" + state.host_ifname + "\"}\n";
}

cni::Answer del(const cni::Request &request)
{
    TORTIE_DO(remove_pod_link(request.netns, request.ifname));
    return "";
}

}  // namespace

int main()
{
    return cni::run({.name = "pod_link_driver",
                     .add = add,
                     .del = del,
                     .check = nullptr,
                     .gc = nullptr,
                     .status = nullptr});
}
