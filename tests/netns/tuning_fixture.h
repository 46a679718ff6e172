// SPDX-License-Identifier: Apache-2.0
//
// A pod with eth0, and the tuning executable run on it over the protocol.
#pragma once

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "harness/netns.h"
#include "harness/plugin_call.h"
#include "harness/temp_dir.h"
#include "sys/link.h"

namespace tortie {

class TuningInNetns : public testing::Test {
protected:
    void SetUp() override;

    struct Call {
        std::string verb = {};
        std::string keys = {};  // of the configuration: R"("mtu": 1400)"
        std::string version = "1.0.0";
        std::string args = {};  // CNI_ARGS
        std::string ifname = "eth0";
        std::string container = "some-container";
        std::string netns = {};   // default: the pod's
        std::string binary = {};  // default: ours
        bool previous_result = true;
    };
    test::PluginOutcome call(const Call &call) const;
    test::PluginOutcome add(const std::string &keys) const;
    test::PluginOutcome check(const std::string &keys) const;
    test::PluginOutcome del(const std::string &keys = "") const;

    // With /etc/cni/tuning/allowlist.conf holding `text`, in a mount namespace of its own.
    test::PluginOutcome add_with_allowlist(const std::string &text, const std::string &keys) const;

    std::string config_of(const Call &call) const;

    Link eth0() const;
    std::string sysctl(const std::string &name) const;

    // The backup's text, nothing when there is none.
    std::optional<std::string> backup(const std::string &name = "some-container_eth0") const;
    void put_backup(const std::string &text) const;
    bool data_dir_is_empty() const;

    std::optional<test::Netns> pod_;
    test::TempDir state_;
    std::string data_dir_ = state_ / "tuning";
};

std::string mac_of(const Link &link);

}  // namespace tortie
