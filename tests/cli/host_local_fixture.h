// SPDX-License-Identifier: Apache-2.0
//
// host-local called as a runtime calls it, with a data directory of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "harness/plugin_call.h"
#include "harness/temp_dir.h"

namespace tortie {

class HostLocal : public testing::Test {
protected:
    // In a configuration ' stands for " and $D for the data directory.
    std::string conf(std::string text) const;

    test::PluginOutcome run(const std::string &command, const std::string &id,
                            const std::string &config, const std::string &ifname = "eth0",
                            const std::string &args = "") const
    {
        return run_program(ours(), command, id, config, ifname, args);
    }
    test::PluginOutcome run_program(const std::string &binary, const std::string &command,
                                    const std::string &id, const std::string &config,
                                    const std::string &ifname = "eth0",
                                    const std::string &args = "") const;
    test::PluginOutcome add(const std::string &id, const std::string &config,
                            const std::string &ifname = "eth0") const
    {
        return run("ADD", id, config, ifname);
    }
    test::PluginOutcome del(const std::string &id, const std::string &config,
                            const std::string &ifname = "eth0") const
    {
        return run("DEL", id, config, ifname);
    }

    static std::string ours() { return test::plugin_path("host-local"); }

    std::string path(const std::string &file, const std::string &network = "net") const
    {
        return temp_ / (network + '/' + file);
    }
    std::string content(const std::string &file, const std::string &network = "net") const;
    void write(const std::string &file, std::string_view text) const;
    mode_t mode(const std::string &file) const;

    // Names of reservation files, sorted.
    std::vector<std::string> reserved(const std::string &network = "net") const;

    test::TempDir temp_;
};

// The message of a failure with that code.
std::string error_of(const test::PluginOutcome &outcome, int code = 999);

// The addresses of a result of any version, with prefix.
std::vector<std::string> addresses(const test::PluginOutcome &outcome);

}  // namespace tortie
