// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the fault suites: a test's process lives in a node of its own.
#pragma once

#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "fault/drill.h"
#include "fault/tracer.h"

namespace tortie::test {

class FaultTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        static const Result<> entered = enter_node();
        if (!entered)
            GTEST_SKIP() << "no namespaces of its own: " << entered.error().what();
        if (const std::string why = why_tracing_is_impossible(); !why.empty())
            GTEST_SKIP() << why;
    }

    static PluginCall plugin_call(const std::string &plugin, const std::string &verb,
                                  const std::string &container, const std::string &config)
    {
        return {.binary = plugin_path(plugin),
                .env = cni_env(verb, container, "eth0", kPodNetns),
                .input = config,
                .arguments = {}};
    }

    // For Drill::furnish.
    static Result<> added(const PluginCall &call)
    {
        const PluginOutcome outcome = run_plugin(call);
        if (outcome.status != 0)
            return fail(ErrorKind::kSystem, outcome.out + outcome.err);
        return {};
    }

    static void expect_clean(const DrillReport &report)
    {
        EXPECT_TRUE(report.findings.empty()) << report.findings;
        EXPECT_GT(report.points, 0U);
        EXPECT_TRUE(report.complete);
        std::cout << report.points << " points\n";
    }
};

}  // namespace tortie::test
