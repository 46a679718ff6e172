// SPDX-License-Identifier: Apache-2.0
//
// A node with pods on it: the node is a network namespace of its own, too.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/deadline.h"
#include "base/pause.h"
#include "datapath/pod_link.h"
#include "harness/netns.h"
#include "sys/sysctl.h"

namespace tortie::test {

class PodLinkNode : public ::testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.emplace();
        pod_.emplace();
        node_->ip({"link", "set", "lo", "up"});
        pod_->ip({"link", "set", "lo", "up"});
    }

    static PodLinkRequest request_for(const Netns &pod, const std::string &host_ifname,
                                      const std::vector<std::string> &addresses)
    {
        PodLinkRequest request;
        request.netns = pod.path();
        request.ifname = "eth0";
        request.host_ifname = host_ifname;
        for (const std::string &address : addresses)
            request.addresses.push_back(IpAddr::parse(address).value());
        return request;
    }

    PodLinkRequest request(const std::vector<std::string> &addresses) const
    {
        return request_for(*pod_, "cali0123456789a", addresses);
    }

    Result<PodLinkState> create(const PodLinkRequest &request) const
    {
        return node_->inside([&] { return create_pod_link(request); });
    }

    PodLinkState created(const PodLinkRequest &request) const
    {
        const auto state = create(request);
        EXPECT_TRUE(state) << state.error().what();
        return state.value_or(PodLinkState{});
    }

    std::string failure(const PodLinkRequest &request) const
    {
        const auto state = create(request);
        return state ? "success" : state.error().what();
    }

    Result<> remove(const PodLinkRequest &request) const
    {
        return node_->inside([&] { return remove_pod_link(request.netns, request.ifname); });
    }

    std::string check(const PodLinkRequest &request, const std::optional<EtherAddr> &mac = {}) const
    {
        const auto checked = node_->inside([&] { return check_pod_link(request, mac); });
        return checked ? "as it should be" : checked.error().what();
    }

    static std::string sysctl(const Netns &where, const std::string &name)
    {
        const auto value = where.inside([&] { return read_sysctl(name); });
        return value ? *value : value.error().what();
    }

    static bool has_link(const Netns &where, const std::string &name)
    {
        return where.try_run({"ip", "link", "show", "dev", name}).has_value();
    }

    // Everything that ip(8) shows of a namespace, but for what the kernel's worker adds when it has
    // its turn.
    static std::string picture(const Netns &where)
    {
        constexpr std::string_view kLinkDown = " linkdown";
        std::string text = all_of(where);
        for (auto at = text.find(kLinkDown); at != std::string::npos; at = text.find(kLinkDown))
            text.erase(at, kLinkDown.size());
        return text;
    }

    // Until the kernel's worker has given an interface that is up its link-local address and the
    // routes of it: a picture that is to be compared must not be taken before.
    static void wait_for_link_local(const Netns &where, const std::string &ifname)
    {
        const Deadline deadline = Deadline::in(std::chrono::seconds(10));
        const auto shown = [&](const char *kind) {
            return !where.ip({"-6", "route", "show", "table", "all", "dev", ifname, "type", kind})
                        .empty();
        };
        while (!(shown("local") && shown("multicast") && shown("unicast"))) {
            if (deadline.passed()) {
                ADD_FAILURE() << ifname << " has no link-local address";
                return;
            }
            pause_for(std::chrono::milliseconds(5));
        }
    }

    std::optional<Netns> node_;
    std::optional<Netns> pod_;

private:
    static std::string all_of(const Netns &where)
    {
        return where.ip({"-br", "link"}) + where.ip({"-br", "address"}) +
               where.ip({"route", "show", "table", "all"}) +
               where.ip({"-6", "route", "show", "table", "all"});
    }
};

}  // namespace tortie::test
