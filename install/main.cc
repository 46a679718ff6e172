// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <span>

#include "install/cli.h"

int main(int argc, char **argv)
{
    const std::span<const char *const> arguments(argv, static_cast<std::size_t>(argc));
    return tortie::installer::run(arguments.subspan(arguments.empty() ? 0 : 1));
}
