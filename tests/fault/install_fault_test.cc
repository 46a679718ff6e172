// SPDX-License-Identifier: Apache-2.0
//
// An upgrade of a node, killed after every system call and told of every failure that a call can
// have. Whatever happens, each plugin is whole, old or new; the configuration is the old one until
// everything that it needs is there; and the next run makes the node new.
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fault/call_faults.h"
#include "fault/tracer.h"
#include "harness/install_container.h"

namespace tortie::test {
namespace {

using Kind = Disturbance::Kind;
using Files = std::map<std::string, std::string>;

const std::string kBin = std::string(kHostBin) + '/';
const std::string kNet = std::string(kHostNet) + '/';
constexpr const char *kNewConflist = R"({"plugins":[{"type":"calico"}],"is":"new"})";

const Files kOldBinaries = {{"calico", "the old calico"},
                            {"calico-ipam", "the old calico"},
                            {"host-local", "the old host-local"},
                            {"portmap", "the old portmap"}};
const Files kNewBinaries = {{"calico", "calico of the image"},
                            {"calico-ipam", "calico of the image"},
                            {"host-local", "host-local of the image"},
                            {"portmap", "portmap of the image"}};

bool is_leftover(const std::string &name)
{
    return name.ends_with(".tortie-new");
}

Files files_in(const std::string &folder)
{
    Files files;
    for (const std::string &name : names_in(folder)) {
        if (!is_leftover(name))
            files.emplace(name, content_of(folder + name));
    }
    return files;
}

std::size_t leftovers()
{
    std::size_t count = 0;
    for (const std::string &folder : {kBin, kNet}) {
        const auto names = names_in(folder);
        count += static_cast<std::size_t>(std::count_if(names.begin(), names.end(), is_leftover));
    }
    return count;
}

class InstallFault : public ::testing::Test {
protected:
    void SetUp() override
    {
        static const Result<> entered = enter_install_container();
        if (!entered)
            GTEST_SKIP() << "no container of its own: " << entered.error().what();
        if (const std::string why = why_tracing_is_impossible(); !why.empty())
            GTEST_SKIP() << why;
        renew_install_container();
        write_content("/calico-secrets/etcd-cert", "new cert");
        write_content("/calico-secrets/etcd-key", "new key");
    }

    static PluginCall call()
    {
        return {.binary = kInstallProgram,
                .env = install_env({{"CNI_NETWORK_CONFIG", kNewConflist},
                                    {"CNI_OLD_CONF_NAME", "05-old.conflist"}}),
                .input = "",
                .arguments = {}};
    }

    // The node as an earlier version left it.
    static void make_old()
    {
        for (const auto &[name, content] : kOldBinaries)
            write_content(kBin + name, content, 0755);
        write_content(kNet + "10-calico.conflist", "the old one", 0600);
        write_content(kNet + "05-old.conflist", "an older one", 0600);
        write_content(kNet + "calico-tls/etcd-cert", "old cert", 0600);
        write_content(kNet + "calico-tls/etcd-key", "old key", 0600);
    }

    void find(const std::string &what)
    {
        if (findings_++ < 5)
            ADD_FAILURE() << about_ << ": " << what;
    }

    void expect_whole();
    void expect_one_set();
    void expect_new();
    Trace disturb(const Disturbance &disturbance, const SystemCall *site);
    std::vector<SystemCall> own_calls(std::size_t &first);

    std::string about_;
    int findings_ = 0;
};

void InstallFault::expect_whole()
{
    const Files now = files_in(kBin);
    bool all_new = true;
    for (const auto &[name, content] : now) {
        if (kOldBinaries.count(name) == 0)
            return find("there is " + name);
        all_new = all_new && content == kNewBinaries.at(name);
        if (content != kOldBinaries.at(name) && content != kNewBinaries.at(name))
            find(name + " is torn: " + content);
        if ((mode_of(kBin + name) & 07777U) != 0755U)
            find(name + " cannot be executed");
    }
    if (now.size() != kOldBinaries.size())
        find("a plugin is missing");
    const std::string conflist = content_of(kNet + "10-calico.conflist");
    if (conflist != "the old one" && conflist != kNewConflist)
        find("the configuration is torn: " + conflist);
    if (conflist == kNewConflist &&
        (!all_new || content_of(kNet + "calico-tls/etcd-key") != "new key"))
        find("the configuration is new and what it needs is not");
    if (conflist != kNewConflist && content_of(kNet + "05-old.conflist") != "an older one")
        find("the old configuration is gone and the new one not there");
}

void InstallFault::expect_one_set()
{
    const Files now = files_in(kBin);
    if (now != kOldBinaries && now != kNewBinaries)
        find("old and new plugins are mixed");
}

void InstallFault::expect_new()
{
    if (files_in(kBin) != kNewBinaries)
        find("the plugins are not the new ones");
    if (content_of(kNet + "10-calico.conflist") != kNewConflist)
        find("the configuration is not the new one");
    if (content_of(kNet + "calico-tls/etcd-cert") != "new cert")
        find("the certificate is not the new one");
    if (mode_of(kNet + "05-old.conflist") != 0)
        find("the old configuration is still there");
    if (leftovers() != 0)
        find("something is left over");
}

Trace InstallFault::disturb(const Disturbance &disturbance, const SystemCall *site)
{
    about_ = "undisturbed";
    if (site) {
        about_ = disturbance.kind == Kind::kFail ? ::strerrorname_np(disturbance.error) : "killed";
        about_ += " at call " + std::to_string(disturbance.at.index) + " (" + site->name() + ")";
    }
    make_old();
    auto trace = run_traced(call(), disturbance);
    if (!trace) {
        find("cannot trace: " + trace.error().what());
        return {};
    }
    return *std::move(trace);
}

// `first` is the program's own first call, umask(); those before are the dynamic loader's.
std::vector<SystemCall> InstallFault::own_calls(std::size_t &first)
{
    const Trace trace = disturb({}, nullptr);
    EXPECT_EQ(trace.status, 0) << trace.err;
    expect_new();
    if (trace.calls.empty())
        return {};
    const auto &calls = trace.calls.front();
    const auto found = std::find_if(calls.begin(), calls.end(), [](const SystemCall &each) {
        return each.number == SYS_umask;
    });
    first = static_cast<std::size_t>(found - calls.begin());
    return calls;
}

std::vector<Fault> faults_at(const SystemCall &call)
{
    if (call.number == SYS_write && call.args[0] == 2)
        return {};  // the log: nobody can be told
    if (call.number == SYS_fsync || call.number == SYS_fchown)
        return {{.kind = Kind::kFail, .error = EIO}, {.kind = Kind::kFail, .error = ENOSPC}};
    return faults_of(call);
}

TEST_F(InstallFault, KilledAnywhereItLeavesAWholeNodeAndTheNextRunEndsTheUpgrade)
{
    std::size_t first = 0;
    const std::vector<SystemCall> calls = own_calls(first);
    for (std::size_t i = first; i < calls.size() && findings_ < 5; ++i) {
        disturb({.kind = Kind::kKillAtExit, .at = {.process = 0, .index = i}}, &calls[i]);
        expect_whole();

        const PluginOutcome again = run_plugin(call());
        if (again.status != 0)
            find("the next run failed: " + again.err);
        expect_new();
    }
    std::cout << calls.size() - first << " points\n";
}

TEST_F(InstallFault, FailingAnywhereItLeavesTheOldSetOrTheNewAndSaysWhy)
{
    std::size_t first = 0;
    std::size_t points = 0;
    const std::vector<SystemCall> calls = own_calls(first);
    for (std::size_t i = first; i < calls.size() && findings_ < 5; ++i) {
        for (const Fault &fault : faults_at(calls[i])) {
            const Trace trace = disturb(
                {.kind = fault.kind, .at = {.process = 0, .index = i}, .error = fault.error},
                &calls[i]);
            ++points;
            expect_whole();
            expect_one_set();
            if (trace.status != 0 && trace.err.find("[ERROR]") == std::string::npos)
                find("it failed and did not say why: " + trace.err);
            if (trace.status != 0 && trace.status != 1)
                find("it ended with " + std::to_string(trace.status));
            if (trace.status != 0 && leftovers() > 0 && calls[i].number != SYS_unlinkat)
                find("it failed and left a file over");
        }
    }
    std::cout << points << " points\n";
}

TEST_F(InstallFault, AFullDiskLeavesTheOldSetAndNamesFileAndCure)
{
    const std::string big(200'000, 'x');
    write_content(std::string(kImageBin) + "/portmap", big, 0755);
    for (const char *size : {"4k", "40k", "100k", "180k"}) {
        const Mounted full = Mounted::tmpfs(kHostBin, std::string("mode=0755,size=") + size);
        write_content(kBin + "calico", "the old calico", 0755);

        const PluginOutcome outcome = run_plugin(call());

        EXPECT_EQ(outcome.status, 1) << size;
        EXPECT_NE(outcome.err.find("no space left on device (free space on the file system of "
                                   "the host's directory)"),
                  std::string::npos)
            << outcome.err;
        EXPECT_EQ(files_in(kBin), Files({{"calico", "the old calico"}})) << size;
        EXPECT_EQ(leftovers(), 0U) << size;
    }
}

TEST_F(InstallFault, AnImmutableFileLeavesTheOldSetAndNamesTheCure)
{
    make_old();
    if (!set_immutable(kBin + "portmap", true))
        GTEST_SKIP() << "this file system has no immutable files";

    const PluginOutcome outcome = run_plugin(call());

    ASSERT_TRUE(set_immutable(kBin + "portmap", false));
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.err.find("chattr -i cures it"), std::string::npos) << outcome.err;
    EXPECT_EQ(files_in(kBin), kOldBinaries);
}

}  // namespace
}  // namespace tortie::test
