// SPDX-License-Identifier: Apache-2.0
//
// The metrics that deploy/monitoring/README.md promises, and Prometheus' text format for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tortie::installer {

// In the order in which they are printed.
enum class Metric {
    kBuildInfo,
    kStatusTimestamp,
    kHealthy,
    kProblem,
    kDatapathInfo,
    kBpfPrograms,
    kHostports,
    kFlows,
    kFlowsLimit,
    kPackets,
    kTokenExpiry,
    kReleasesQueued,
};

struct Label {
    const char *name;
    std::string value;
};

struct Sample {
    Metric metric;
    std::uint64_t value;
    std::vector<Label> labels = {};
};

// What node_exporter's textfile collector reads. A metric without a sample is not mentioned.
// Source: Prometheus text exposition format 0.0.4.
std::string metrics_text(const std::vector<Sample> &samples);

}  // namespace tortie::installer
