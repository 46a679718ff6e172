// SPDX-License-Identifier: Apache-2.0
#include "calico/calico.h"

#include <array>
#include <string>
#include <string_view>

#include "base/file.h"
#include "calico/add.h"
#include "calico/connection_test.h"
#include "calico/del.h"
#include "calico/flags.h"
#include "calico/verbs.h"
#include "cni/skel.h"

namespace tortie::calico_cni {
namespace {

constexpr std::array kFlags = {
    Flag{.name = "t", .help = "Test datastore connection", .value_name = {}},
    Flag{.name = "v", .help = "Display version", .value_name = {}}};

// What people look for in Calico's log.
std::string failure_line(std::string_view command)
{
    if (command != "ADD" && command != "DEL")
        return "failed";
    return "Final result of CNI " + std::string(command) + " was an error.";
}

int print(int fd, const std::string &text, int status)
{
    return write_all(fd, text, fd == 1 ? "stdout" : "stderr") ? status : 1;
}

}  // namespace

int run_calico(std::span<const char *const> arguments)
{
    const auto flags = parse_flags("Calico", kFlags, arguments);
    if (!flags)
        return print(2, flags.error().text, flags.error().status);
    if (flags->has("v"))
        return print(1, std::string(cni::program_version()) + '\n', 0);
    if (flags->has("t"))
        return run_connection_test();
    return cni::run({.name = "calico",
                     .add = add,
                     .del = del,
                     .check = check,
                     .gc = gc,
                     .status = status,
                     .about = "Calico CNI plugin",
                     .failure_line = failure_line});
}

}  // namespace tortie::calico_cni
