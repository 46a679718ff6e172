// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/process.h"
#include "install/probe/probe_command.h"

namespace {

constexpr int kStdout = 1;
constexpr int kStderr = 2;

int say(int fd, std::string_view text, int status)
{
    const auto said = tortie::write_all(fd, text, "output");
    return said ? status : 1;
}

int complain(const tortie::Error &error)
{
    const bool about_arguments = error.kind() == tortie::ErrorKind::kInvalidInput;
    return say(kStderr, "tortie-probe: " + error.what() + "\n", about_arguments ? 2 : 1);
}

std::string text_or_empty(const char *text)
{
    return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

int main(int argc, char **argv)
{
    const std::span<const char *const> words(argv, static_cast<std::size_t>(argc));
    auto arguments = tortie::parse_probe_arguments(words.subspan(words.empty() ? 0 : 1));
    if (!arguments)
        return complain(arguments.error());
    if (arguments->help)
        return say(kStdout, tortie::probe_help(), 0);
    if (const auto hardened = tortie::harden_process(); !hardened)
        return complain(hardened.error());
    arguments->disabled = text_or_empty(tortie::get_env("TORTIE_DISABLE"));
    const auto prober = tortie::caps::kernel_prober(text_or_empty(tortie::get_env("PATH")));
    const auto output = tortie::run_probe(*arguments, *prober);
    return output ? say(kStdout, *output, 0) : complain(output.error());
}
