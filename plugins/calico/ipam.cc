// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam.h"

#include <array>
#include <string>

#include "base/file.h"
#include "calico/flags.h"
#include "calico/ipam_tool.h"
#include "calico/ipam_verbs.h"
#include "cni/skel.h"

namespace tortie::calico_cni {
namespace {

constexpr std::array kFlags = {
    Flag{.name = "apply",
         .help = "Create or change the resources of a file (- for stdin): IPPool, IPReservation, "
                 "IPAMConfiguration, ClusterInformation, Node",
         .value_name = "file"},
    Flag{.name = "check",
         .help = "Tell what does not agree in the datastore; exit 1 if there is something",
         .value_name = {}},
    Flag{.name = "conf",
         .help = "Network configuration (or list) that says which datastore; otherwise the "
                 "environment does, or the configuration installed on this node",
         .value_name = "file"},
    Flag{.name = "json", .help = "With -show: as JSON", .value_name = {}},
    Flag{.name = "no-endpoints",
         .help = "With -check and -repair: addresses need no endpoint, others than the plugin "
                 "calico take them",
         .value_name = {}},
    Flag{.name = "repair", .help = "As -check, and mend what can be mended", .value_name = {}},
    Flag{.name = "show", .help = "Pools, blocks, and who has which address", .value_name = {}},
    Flag{.name = "upgrade",
         .help = "Upgrade from host-local: move this node's addresses to calico-ipam",
         .value_name = {}},
    Flag{.name = "v", .help = "Display version", .value_name = {}},
    Flag{.name = "version", .help = "Display version", .value_name = {}}};

int print(int fd, const std::string &text, int status)
{
    return write_all(fd, text, fd == 1 ? "stdout" : "stderr") ? status : 1;
}

}  // namespace

int run_ipam(std::span<const char *const> arguments)
{
    const auto flags = parse_flags("calico-ipam", kFlags, arguments);
    if (!flags)
        return print(2, flags.error().text, flags.error().status);
    if (flags->has("v") || flags->has("version"))
        return print(1, std::string(cni::program_version()) + '\n', 0);
    if (asks_for_tool(*flags))
        return run_tool(*flags);
    return cni::run({.name = "calico-ipam",
                     .add = ipam_add,
                     .del = ipam_del,
                     .check = ipam_check,
                     .gc = ipam_gc,
                     .status = ipam_status,
                     .about = "Calico CNI IPAM"});
}

}  // namespace tortie::calico_cni
