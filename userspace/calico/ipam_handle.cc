// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_handle.h"

#include <array>
#include <ctime>

#include "base/sha512.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMaxHandle = 128;
constexpr std::size_t kHashDigits = 40;

}  // namespace

std::string handle_id(std::string_view network, std::string_view container_id)
{
    return std::string(network) + '.' + std::string(container_id);
}

std::string legacy_handle_id(std::string_view ns, std::string_view pod,
                             std::string_view container_id)
{
    if (ns.empty() || pod.empty())
        return std::string(container_id);
    return std::string(ns) + '.' + std::string(pod);
}

std::string vm_handle_id(std::string_view network, std::string_view ns, std::string_view name)
{
    const std::string prefix = std::string(network.empty() ? "k8s-pod-network" : network) + ".vmi.";
    const std::string suffix = std::string(ns) + '.' + std::string(name);
    std::string whole = prefix + suffix;
    if (whole.size() <= kMaxHandle)
        return whole;
    // A network's name can be longer than the whole handle may be: then the hash covers it, too.
    if (prefix.size() + kHashDigits <= kMaxHandle)
        return prefix + sha512_hex(suffix, kHashDigits);
    return "vmi." + sha512_hex(whole, kHashDigits);
}

std::string go_time(std::chrono::system_clock::time_point when)
{
    using std::chrono::nanoseconds;
    const auto since = std::chrono::duration_cast<nanoseconds>(when.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(since / 1'000'000'000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 64> text{};
    const std::size_t written = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &utc);
    std::string whole(text.data(), written);
    std::string fraction = std::to_string(since % 1'000'000'000);
    fraction.insert(0, 9 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    if (!fraction.empty())
        whole += '.' + fraction;
    return whole + " +0000 UTC";
}

kube::StringMap owner_attributes(std::string_view node, std::string_view ns, std::string_view pod,
                                 std::chrono::system_clock::time_point when)
{
    kube::StringMap attributes{{"node", std::string(node)}, {"timestamp", go_time(when)}};
    if (!pod.empty()) {
        attributes.emplace("pod", pod);
        attributes.emplace("namespace", ns);
    }
    return attributes;
}

}  // namespace tortie::calico
