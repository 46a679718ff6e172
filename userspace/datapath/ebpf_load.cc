// SPDX-License-Identifier: Apache-2.0
#include "datapath/ebpf_load.h"

#include <cmath>

#include "base/pause.h"
#include "base/strings.h"
#include "datapath/ebpf_refill.h"
#include "sys/sysctl.h"

namespace tortie {
namespace {

// jiffies64 is 2^32 - 300 HZ at boot (INITIAL_JIFFIES of include/linux/jiffies.h).
constexpr double kInitialJiffies = 4294967296.0;
constexpr double kInitialSeconds = 300;
constexpr double kNearWrapSeconds = 30;
constexpr double kNsPerSecond = 1e9;
constexpr std::chrono::milliseconds kTicks(100);

double seconds(const PortmapClock &clock)
{
    return static_cast<double>(clock.monotonic_ns) / kNsPerSecond;
}

// The kernel does not say what HZ is; its two clocks do. From the time since boot, but near the
// moment at which jiffies say nothing about it, from two readings.
Result<std::uint32_t> measure_hz(const PinFolder &folder, const MappedVariables<pm_state> &state)
{
    TORTIE_TRY(const PortmapClock now, read_portmap_clock(folder, state));
    const double since = seconds(now) - kInitialSeconds;
    if (std::abs(since) > kNearWrapSeconds)
        return static_cast<std::uint32_t>(
            std::lround((static_cast<double>(now.jiffies) - kInitialJiffies) / since));
    pause_for(kTicks);
    TORTIE_TRY(const PortmapClock later, read_portmap_clock(folder, state));
    return static_cast<std::uint32_t>(std::lround(static_cast<double>(later.jiffies - now.jiffies) /
                                                  (seconds(later) - seconds(now))));
}

// In the programs' milliseconds; 0, their default, when conntrack does not say.
std::uint32_t timeout_ms(const char *name)
{
    constexpr std::uint32_t kMsPerSecond = 1000;
    const auto text = read_sysctl(std::string("netfilter/nf_conntrack_") + name);
    const auto seconds = text ? parse_number<std::uint32_t>(*text) : std::nullopt;
    return seconds.value_or(0) > UINT32_MAX / kMsPerSecond ? UINT32_MAX
                                                           : seconds.value_or(0) * kMsPerSecond;
}

Result<> fill(const PinFolder &fresh)
{
    TORTIE_DO(load_portmap(fresh));
    TORTIE_TRY(const PortmapMaps maps, PortmapMaps::open(fresh));
    TORTIE_TRY(maps.state->interval, measure_hz(fresh, maps.state));
    maps.state->tcp_established_ms = timeout_ms("tcp_timeout_established");
    maps.state->tcp_fin_ms = timeout_ms("tcp_timeout_fin_wait");
    maps.state->tcp_close_ms = timeout_ms("tcp_timeout_close");
    maps.state->udp_stream_ms = timeout_ms("udp_timeout_stream");
    return {};
}

}  // namespace

Result<> ensure_ebpf_loaded(const EbpfSettings &settings)
{
    const PinRoot root(settings.places);
    TORTIE_TRY(const bool made, root.make(settings.abi, fill));
    TORTIE_TRY(const auto abis, root.abis());
    const bool alone = abis.size() == 1;
    if (!made && alone)
        return {};
    return root.exclusively([&]() -> Result<> {
        TORTIE_TRY(EbpfNode node, EbpfNode::open(settings));
        return alone ? refill(node) : replace_other_abis(node, root, settings.abi);
    });
}

}  // namespace tortie
