// SPDX-License-Identifier: Apache-2.0
//
// A plugin run as a runtime runs it: an executable, an environment, a configuration on stdin.
//
//   PluginCall call{.binary = plugin_path("loopback")};
//   call.env = {{"CNI_COMMAND", "VERSION"}};
//   const PluginOutcome outcome = run_plugin(call);
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace tortie::test {

struct PluginCall {
    std::string binary;                      // absolute path
    std::map<std::string, std::string> env;  // the whole environment
    std::string input;                       // stdin
    std::vector<std::string> arguments;      // behind argv[0]; plugins take none
    std::chrono::milliseconds deadline{60'000};
};

struct PluginOutcome {
    int status = -1;  // exit status, 128 + signal, or -1 when it could not be run
    std::string out;
    std::string err;  // stderr, or why it could not be run
};

// The executable of one of our plugins: in $TORTIE_BIN_DIR when that is set (scripts/test sets it,
// to test what ships), else of the build that the test belongs to.
std::string plugin_path(const std::string &name);

// Blocks until the plugin has ended.
PluginOutcome run_plugin(const PluginCall &call);

// The variables of a call; `netns` and `ifname` have defaults that pass the protocol's checks.
// CNI_PATH is set because the dispatcher insists on it.
std::map<std::string, std::string> cni_env(const std::string &command,
                                           const std::string &container_id,
                                           const std::string &ifname = "eth0",
                                           const std::string &netns = "/run/netns/none");

}  // namespace tortie::test
