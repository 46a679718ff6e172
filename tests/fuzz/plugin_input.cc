// SPDX-License-Identifier: Apache-2.0
#include "fuzz/plugin_input.h"

#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "cni/json.h"

namespace tortie::fuzz {

std::string_view as_text(const std::uint8_t *data, std::size_t size)
{
    return {reinterpret_cast<const char *>(data), size};
}

PluginInput read_input(std::string_view text)
{
    PluginInput input;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty())
            break;
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || line.find('\0') != std::string_view::npos)
            continue;  // the kernel would not hand such a thing to a program
        input.env.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    input.config = text;
    return input;
}

void dispatch(const cni::Plugin &plugin, const PluginInput &input)
{
    // Warnings about each input would be most of the work.
    static const bool quiet = (log::open(log::Level::kError, {}), true);
    require(quiet, "the log is open");

    const cni::Outcome outcome = cni::dispatch(
        plugin, {.get_env = [&](const char *name) -> const char * {
                     const auto it = input.env.find(std::string_view(name));
                     return it == input.env.end() ? nullptr : it->second.c_str();
                 },
                 .read_stdin = [&]() -> Result<std::string> { return input.config; }});
    require(outcome.status == (outcome.failure ? 1 : 0), "the status says whether it failed");
    require(!outcome.failure || outcome.out == outcome.failure->to_json(), "a failure is printed");
    if (outcome.out.empty())
        return;
    require(cni::Json::parse_object(outcome.out).has_value(), "what is printed is JSON");
}

void require(bool truth, const char *what)
{
    if (truth)
        return;
    std::fprintf(stderr, "not true: %s\n", what);
    std::abort();
}

}  // namespace tortie::fuzz
