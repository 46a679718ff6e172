// SPDX-License-Identifier: Apache-2.0
#include "harness/plugin_call.h"

#include <cstdlib>
#include <utility>

#include "base/subprocess.h"

namespace tortie::test {

std::string plugin_path(const std::string &name)
{
    const char *folder =
        std::getenv("TORTIE_BIN_DIR");  // NOLINT(concurrency-mt-unsafe): one thread
    return std::string(folder != nullptr ? folder : TORTIE_BIN_DIR) + '/' + name;
}

PluginOutcome run_plugin(const PluginCall &call)
{
    Command command{.argv = {call.binary}, .env = {}, .input = call.input};
    command.deadline = call.deadline;
    command.argv.insert(command.argv.end(), call.arguments.begin(), call.arguments.end());
    for (const auto &[key, value] : call.env)
        command.env.push_back(std::string(key).append("=").append(value));

    auto exit = run_command(command);
    if (!exit)
        return {.status = -1, .out = "", .err = exit.error().what()};
    return {.status = exit->status,
            .out = std::move(exit->output),
            .err = std::move(exit->diagnostics)};
}

std::map<std::string, std::string> cni_env(const std::string &command,
                                           const std::string &container_id,
                                           const std::string &ifname, const std::string &netns)
{
    return {{"CNI_COMMAND", command},
            {"CNI_CONTAINERID", container_id},
            {"CNI_IFNAME", ifname},
            {"CNI_NETNS", netns},
            {"CNI_PATH", "/opt/cni/bin"}};
}

}  // namespace tortie::test
