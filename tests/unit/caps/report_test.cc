// SPDX-License-Identifier: Apache-2.0
#include "caps/report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/pause.h"
#include "harness/temp_dir.h"
#include "unit/caps/fake_prober.h"

namespace tortie::caps {
namespace {

using test::FakeProber;
using test::findings_with;
using testing::HasSubstr;

class ReportFiles : public testing::Test {
protected:
    ReportPlaces places() const
    {
        return {.installed = dir_ / "installed", .directory = dir_ / "run"};
    }

    static Report report_of(const Findings &findings)
    {
        Report report;
        report.identity = read_identity().value();
        report.findings = findings;
        return report;
    }

    static std::string json_of(const Report &report)
    {
        return to_json(report, decide(report.findings, {}).value());
    }

    // But for what is looked at anew every time.
    static Findings kept(Findings findings)
    {
        findings[Capability::kBpffsMounted] = {};
        return findings;
    }

    // The files say what is asked for, or the kernel was asked.
    int probes_with(const std::string &path, const std::string &content) const
    {
        EXPECT_TRUE(make_directories(places().directory, 0700));
        EXPECT_TRUE(replace_file(path, content, 0644));
        FakeProber prober(findings_with({}));
        EXPECT_TRUE(node_report(prober, places()));
        return prober.probed;
    }

    test::TempDir dir_;
};

TEST_F(ReportFiles, SayWhatWasFoundOnceAndForAll)
{
    const Findings findings = findings_with({{Capability::kTcxLink, Support::kNo}});
    FakeProber prober(findings);

    const auto first = node_report(prober, places());
    const auto second = node_report(prober, places());

    ASSERT_TRUE(first) << first.error().what();
    ASSERT_TRUE(second);
    EXPECT_EQ(prober.probed, 1);
    EXPECT_EQ(kept(second->findings), kept(findings));
    EXPECT_EQ(second->identity.boot_id, first->identity.boot_id);
    struct stat st {};
    ASSERT_EQ(::stat(places().own().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0644U);
}

TEST_F(ReportFiles, OfTheInstallerComeFirst)
{
    const Report installed = report_of(findings_with({{Capability::kTcxLink, Support::kNo}}));
    ASSERT_TRUE(replace_file(places().installed, json_of(installed), 0644));
    FakeProber prober(findings_with({}));

    const auto report = node_report(prober, places());

    ASSERT_TRUE(report);
    EXPECT_EQ(prober.probed, 0);
    EXPECT_EQ(kept(report->findings), kept(installed.findings));
}

TEST_F(ReportFiles, DoNotOutliveAMount)
{
    Report report = report_of(findings_with({}));
    report.findings[Capability::kBpffsMounted] = {Support::kNo, "of another time"};
    ASSERT_TRUE(replace_file(places().installed, json_of(report), 0644));
    FakeProber prober(findings_with({}));

    const auto read = read_report(places(), report.identity);

    ASSERT_TRUE(read) << read.error().what();
    EXPECT_THAT(read->findings[Capability::kBpffsMounted].evidence,
                testing::StartsWith("statfs(/sys/fs/bpf)"));
}

TEST_F(ReportFiles, AreVoidOnAnotherBootAndForAnotherVersion)
{
    Report other_boot = report_of(findings_with({}));
    other_boot.identity.boot_id = "00000000-0000-0000-0000-000000000000";
    Report other_version = report_of(findings_with({}));
    other_version.identity.product = "0.0.1";
    Report other_kernel = report_of(findings_with({}));
    other_kernel.identity.kernel_release = "4.18.0";

    for (const std::string &path : {places().own(), places().installed}) {
        EXPECT_EQ(probes_with(path, json_of(other_boot)), 1);
        ASSERT_TRUE(remove_file(places().own()));
        EXPECT_EQ(probes_with(path, json_of(other_version)), 1);
        ASSERT_TRUE(remove_file(places().own()));
        EXPECT_EQ(probes_with(path, json_of(other_kernel)), 0);
        ASSERT_TRUE(remove_file(path));
    }
}

TEST_F(ReportFiles, HoldForAMinuteWhenSomethingThatCountsCouldNotBeTold)
{
    Report uncertain = report_of(findings_with({{Capability::kSchedCls, Support::kUnknown}}));
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);

    uncertain.taken = std::chrono::seconds(now.tv_sec);
    EXPECT_EQ(probes_with(places().own(), json_of(uncertain)), 0);
    uncertain.taken = std::chrono::seconds(now.tv_sec + 3600);
    EXPECT_EQ(probes_with(places().own(), json_of(uncertain)), 1);
    uncertain.taken = std::chrono::seconds(now.tv_sec - 61);
    EXPECT_EQ(probes_with(places().own(), json_of(uncertain)), 1);
}

TEST_F(ReportFiles, AreVoidWhenTheyAreCutAnywhere)
{
    const std::string whole = json_of(report_of(findings_with({})));

    // All but the line break that ends it.
    for (std::size_t size = 0; size + 1 < whole.size(); size += 7)
        EXPECT_FALSE(parse_report(std::string_view(whole).substr(0, size))) << size;
    EXPECT_TRUE(parse_report(whole));
    EXPECT_EQ(probes_with(places().own(), whole.substr(0, whole.size() / 2)), 1);
}

TEST_F(ReportFiles, AreVoidWhenTheyAreNotWhatWasWritten)
{
    const std::string whole = json_of(report_of(findings_with({})));
    const auto with = [&](std::string_view from, const std::string &to) {
        std::string changed = whole;
        changed.replace(changed.find(from), from.size(), to);
        return changed;
    };

    for (const std::string &wrong :
         {with("\"format\": 1", "\"format\": 2"),
          with("\"answer\": \"yes\"", "\"answer\": \"YES\""),
          with("\"answer\": \"yes\"", "\"answer\": 1"), with("\"tcx_link\"", "\"tcx\""),
          with("works", std::string(301, 'x')), with("works", "a\\nb"), with("works", "\\u00e9"),
          with("\"secondsSinceBoot\": 0", "\"secondsSinceBoot\": -1"),
          with("\"findings\": {", "\"findings\": [[[[[[]]]]]], \"x\": {"), whole + "x",
          std::string(70'000, ' '), std::string("[]"), std::string()})
        EXPECT_FALSE(parse_report(wrong)) << wrong.substr(0, 200);
}

TEST_F(ReportFiles, AreNotReadThroughALink)
{
    ASSERT_TRUE(replace_file(dir_ / "elsewhere", json_of(report_of(findings_with({}))), 0644));
    ASSERT_EQ(::symlink((dir_ / "elsewhere").c_str(), places().installed.c_str()), 0);
    FakeProber prober(findings_with({}));

    ASSERT_TRUE(node_report(prober, places()));

    EXPECT_EQ(prober.probed, 1);
}

TEST_F(ReportFiles, ThatCannotBeWrittenCostTimeOnly)
{
    ASSERT_TRUE(make_directories(places().own(), 0700));  // a directory where the file belongs
    FakeProber prober(findings_with({}));

    const auto report = node_report(prober, places());

    ASSERT_TRUE(report);
    EXPECT_EQ(report->findings, findings_with({}));
}

// Leaves a line in a file for each probe, and takes its time.
class SlowProber : public Prober {
public:
    explicit SlowProber(std::string log) : log_(std::move(log)) {}

    Findings probe() override
    {
        const UniqueFd log(::open(log_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
        EXPECT_TRUE(write_all(log.get(), "probed\n", log_));
        pause_for(std::chrono::milliseconds(20));
        return findings_with({});
    }

private:
    std::string log_;
};

TEST_F(ReportFiles, AreMadeByOneOfThirtyThatAskAtOnce)
{
    constexpr int kProcesses = 30;
    const std::string log = dir_ / "probes";
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; i++) {
        const pid_t child = ::fork();
        if (child == 0) {
            SlowProber prober(log);
            ::_exit(node_report(prober, places()) ? 0 : 1);
        }
        children.push_back(child);
    }

    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }

    EXPECT_EQ(read_file(log, 4096).value(), "probed\n");
}

TEST(FreshReport, AsksTheKernelWhateverTheFilesSay)
{
    FakeProber prober(findings_with({}));

    const auto report = fresh_report(prober);

    ASSERT_TRUE(report);
    EXPECT_EQ(prober.probed, 1);
    EXPECT_FALSE(report->identity.boot_id.empty());
    EXPECT_THAT(to_json(*report, {}), HasSubstr(report->identity.boot_id));
}

}  // namespace
}  // namespace tortie::caps
