// SPDX-License-Identifier: Apache-2.0
#include "install/metrics.h"

#include <string_view>

namespace tortie::installer {
namespace {

struct Description {
    Metric metric;
    std::string_view name;
    std::string_view type;
    std::string_view help;
};

constexpr Description kDescriptions[] = {
    {Metric::kBuildInfo, "tortie_build_info", "gauge", "The version that says this; always 1."},
    {Metric::kStatusTimestamp, "tortie_status_timestamp_seconds", "gauge",
     "When this was printed, in seconds since 1970."},
    {Metric::kHealthy, "tortie_healthy", "gauge", "1 when install status finds nothing wrong."},
    {Metric::kProblem, "tortie_problem", "gauge", "1 for a check that failed."},
    {Metric::kDatapathInfo, "tortie_datapath_info", "gauge",
     "What carries host ports, and whether the probe or somebody chose it; always 1."},
    {Metric::kBpfPrograms, "tortie_bpf_programs", "gauge",
     "BPF programs at uplinks and pods: attached, and how many should be."},
    {Metric::kHostports, "tortie_hostports", "gauge", "Published ports."},
    {Metric::kFlows, "tortie_flows", "gauge", "Flows that BPF carries now."},
    {Metric::kFlowsLimit, "tortie_flows_limit", "gauge", "Most flows that BPF can carry."},
    {Metric::kPackets, "tortie_packets_total", "counter",
     "Packets of mapped ports by what happened to them, and events of flows."},
    {Metric::kTokenExpiry, "tortie_token_expiry_timestamp_seconds", "gauge",
     "When the plugins' token ends, in seconds since 1970."},
    {Metric::kReleasesQueued, "tortie_releases_queued", "gauge",
     "Releases of addresses that wait for the datastore."},
};

std::string escaped(std::string_view value)
{
    std::string text;
    for (const char c : value) {
        if (c == '\\' || c == '"' || c == '\n')
            text += '\\';
        text += c == '\n' ? 'n' : c;
    }
    return text;
}

void append_sample(std::string &text, std::string_view name, const Sample &sample)
{
    text.append(name);
    char before = '{';
    for (const Label &label : sample.labels) {
        text.append(1, before).append(label.name).append("=\"");
        text.append(escaped(label.value)).append("\"");
        before = ',';
    }
    text.append(sample.labels.empty() ? " " : "} ").append(std::to_string(sample.value));
    text += '\n';
}

}  // namespace

std::string metrics_text(const std::vector<Sample> &samples)
{
    std::string text;
    for (const Description &about : kDescriptions) {
        std::string lines;
        for (const Sample &sample : samples) {
            if (sample.metric == about.metric)
                append_sample(lines, about.name, sample);
        }
        if (lines.empty())
            continue;
        text.append("# HELP ").append(about.name).append(" ").append(about.help);
        text.append("\n# TYPE ").append(about.name).append(" ").append(about.type);
        text.append("\n").append(lines);
    }
    return text;
}

}  // namespace tortie::installer
