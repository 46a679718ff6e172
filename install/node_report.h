// SPDX-License-Identifier: Apache-2.0
//
// Is this node all right, which path carries what, what is wrong and what to do. Only looks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "install/metrics.h"
#include "kube/kubeconfig.h"

namespace tortie::installer {

struct NodeReport {
    struct Line {
        std::string about;  // "files", "host ports"; with '_' a value of label `check`
        std::string text;   // how it is
        std::string cure;   // what to do; empty: it is all right
    };
    std::vector<Line> lines;
    std::vector<Sample> samples;

    std::size_t problems() const;
};

// Everything but the API server's answer, for which it waits five seconds, costs milliseconds.
NodeReport report_node(const kube::GetEnv &get_env);

// A screen for people.
std::string text_of(const NodeReport &report);

}  // namespace tortie::installer
