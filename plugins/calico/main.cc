// SPDX-License-Identifier: Apache-2.0
//
// One executable, two programs: by the name it is called under, as in Calico's own image.
#include <span>
#include <string>
#include <string_view>

#include "base/file.h"
#include "calico/calico.h"
#include "calico/ipam.h"

int main(int argc, char **argv)
{
    using namespace tortie;  // NOLINT(google-build-using-namespace): a table and nothing else
    const std::span<const char *const> arguments(argv, static_cast<std::size_t>(argc));
    const std::string_view path = argc > 0 ? argv[0] : "";
    const std::string_view name = path.substr(path.rfind('/') + 1);
    if (name == "calico")
        return calico_cni::run_calico(arguments.subspan(1));
    if (name == "calico-ipam")
        return calico_cni::run_ipam(arguments.subspan(1));
    const std::string text = "Unknown binary name: " + std::string(name) + '\n';
    [[maybe_unused]] const auto ignored = write_all(2, text, "stderr");
    return 2;
}
