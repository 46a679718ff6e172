// SPDX-License-Identifier: Apache-2.0
#include "tuning/check.h"

#include <cerrno>

#include "base/strings.h"
#include "sys/sysctl.h"

namespace tortie::tuning {
namespace {

auto differs(const std::string &what, const std::string &want, const std::string &have)
{
    return fail(ErrorKind::kInvalidInput,
                "Error: Tuning " + what + " is " + want + ", current value is " + have);
}

std::string truth(bool value)
{
    return value ? "true" : "false";
}

}  // namespace

Result<> compare_sysctls(const Settings &wanted)
{
    for (const auto &[name, want] : wanted.sysctls) {
        const auto have = read_sysctl(name);
        if (!have && have.error().sys_errno() == EACCES)
            continue;
        if (!have)
            return fail(have.error());
        if (words(*have) != words(want))
            return differs("configured value of /proc/sys/net/" + name, want, *have);
    }
    return {};
}

Result<> compare_link(const Settings &wanted, const std::string &mac_text, const Link &link)
{
    if (wanted.mac && !is_same_mac(*wanted.mac, link.mac))
        return differs("configured Ethernet of " + link.name, mac_text, print_mac(link.mac));
    if (wanted.promisc && link.promiscuity == 0)
        return differs("link " + link.name + " configured promisc", truth(*wanted.promisc), "0");
    if (wanted.mtu && *wanted.mtu != link.mtu)
        return differs("configured MTU of " + link.name, std::to_string(*wanted.mtu),
                       std::to_string(link.mtu));
    if (wanted.allmulti && *wanted.allmulti != link.allmulti())
        return differs("configured all-multicast mode of " + link.name, truth(*wanted.allmulti),
                       truth(link.allmulti()));
    if (wanted.tx_queue_len && *wanted.tx_queue_len != link.tx_queue_len)
        return differs("configured Transmit Queue Length of " + link.name,
                       std::to_string(*wanted.tx_queue_len), std::to_string(link.tx_queue_len));
    return {};
}

}  // namespace tortie::tuning
