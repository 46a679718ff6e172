// SPDX-License-Identifier: Apache-2.0
#include "loader/portmap_object.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <numeric>

#include <portmap.skel.h>

#include "loader/bpf_error.h"
#include "loader/bpf_object.h"

namespace tortie {
namespace {

constexpr const char *kState = "tt_pm_state";
constexpr const char *kClock = "tt_pm_clock";

}  // namespace

Result<> load_portmap(const PinFolder &fresh)
{
    TORTIE_TRY(auto object, BpfObject<tt_portmap>::open());
    TORTIE_DO(object.load());
    return object.pin(fresh, kState);
}

Result<PortmapMaps> PortmapMaps::open(const PinFolder &folder)
{
    TORTIE_TRY(auto hostports,
               (TypedMap<pm_hostport_key, pm_hostport>::open(folder.map("tt_pm_hostport"))));
    TORTIE_TRY(auto podports,
               (TypedMap<pm_podport_key, pm_podport>::open(folder.map("tt_pm_podport"))));
    TORTIE_TRY(auto pods, (TypedMap<PodAddress, pm_pod>::open(folder.map("tt_pm_pod"))));
    TORTIE_TRY(auto uplinks,
               (TypedMap<std::uint32_t, pm_uplink>::open(folder.map("tt_pm_uplink"))));
    TORTIE_TRY(auto state, MappedVariables<pm_state>::open(folder.map(kState)));
    return PortmapMaps{.hostports = std::move(hostports),
                       .podports = std::move(podports),
                       .pods = std::move(pods),
                       .uplinks = std::move(uplinks),
                       .state = std::move(state)};
}

Result<PortmapFlows> PortmapFlows::open(const PinFolder &folder)
{
    TORTIE_TRY(auto ipv4, (TypedMap<pm_tuple4, pm_flow4>::open(folder.map("tt_pm_flow4"))));
    TORTIE_TRY(auto ipv6, (TypedMap<pm_tuple6, pm_flow6>::open(folder.map("tt_pm_flow6"))));
    return PortmapFlows{.ipv4 = std::move(ipv4), .ipv6 = std::move(ipv6)};
}

Result<std::array<std::uint64_t, TORTIE_PM_COUNT_END>> read_portmap_counts(const PinFolder &folder)
{
    TORTIE_TRY(const auto map, PerCpuArray<std::uint64_t>::open(folder.map("tt_pm_count")));
    std::array<std::uint64_t, TORTIE_PM_COUNT_END> counts{};
    for (std::uint32_t i = 0; i < TORTIE_PM_COUNT_END; ++i) {
        TORTIE_TRY(const auto values, map.find(i));
        if (values)
            counts[i] = std::accumulate(values->begin(), values->end(), std::uint64_t{0});
    }
    return counts;
}

Result<PortmapClock> read_portmap_clock(const PinFolder &folder,
                                        const MappedVariables<pm_state> &state)
{
    const UniqueFd program(::bpf_obj_get(folder.program(kClock).c_str()));
    if (!program.valid())
        return fail(bpf_error(-errno, std::string("open program ") + kClock));
    std::array<std::uint8_t, 64> frame{};  // the kernel runs it on nothing shorter
    bpf_test_run_opts run{};
    run.sz = sizeof(run);
    run.data_in = frame.data();
    run.data_size_in = frame.size();
    run.repeat = 1;
    if (const int err = ::bpf_prog_test_run_opts(program.get(), &run); err != 0)
        return fail(bpf_error(err, std::string("run program ") + kClock));
    return PortmapClock{.jiffies = state->jiffies, .monotonic_ns = state->monotonic_ns};
}

}  // namespace tortie
