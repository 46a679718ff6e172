// SPDX-License-Identifier: Apache-2.0
//
// pod_link [ROUNDS]: how long a pod's link takes, in a node and a pod of its own; root.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/log.h"
#include "base/strings.h"
#include "datapath/pod_link.h"
#include "harness/netns.h"

namespace tortie {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start)
{
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void print(const char *what, std::vector<double> &samples)
{
    std::sort(samples.begin(), samples.end());
    std::printf("%-24s median %6.3f ms   p90 %6.3f ms   worst %6.3f ms\n", what,
                samples[samples.size() / 2], samples[samples.size() * 9 / 10], samples.back());
}

int measure(int rounds, const std::vector<IpAddr> &addresses, const char *what)
{
    const test::Netns node;
    const test::Netns pod;
    PodLinkRequest request;
    request.netns = pod.path();
    request.ifname = "eth0";
    request.host_ifname = "cali0123456789a";
    request.addresses = addresses;
    std::vector<double> creations;
    std::vector<double> removals;
    const auto inside = NetnsScope::enter(node.path());
    for (int round = 0; inside && round < rounds; ++round) {
        const auto start = Clock::now();
        const auto created = create_pod_link(request);
        creations.push_back(milliseconds_since(start));
        const auto middle = Clock::now();
        const auto removed = remove_pod_link(request.netns, request.ifname);
        removals.push_back(milliseconds_since(middle));
        if (!created || !removed) {
            std::printf("%s\n", (created ? removed.error() : created.error()).what().c_str());
            return 1;
        }
    }
    if (creations.empty())
        return 1;
    std::printf("%s, %d rounds\n", what, rounds);
    print("  create", creations);
    print("  remove", removals);
    return 0;
}

}  // namespace
}  // namespace tortie

int main(int argc, char **argv)
{
    using namespace tortie;  // NOLINT(google-build-using-namespace): the end of a program
    log::open(log::Level::kWarn, {});
    const int rounds = argc > 1 ? parse_number<int>(argv[1]).value_or(0) : 100;
    const IpAddr ipv4 = *IpAddr::parse("10.65.0.2");
    const IpAddr ipv6 = *IpAddr::parse("fd00:65::2");
    const int failed = measure(rounds, {ipv4}, "IPv4");
    return failed + measure(rounds, {ipv4, ipv6}, "IPv4 and IPv6");
}
