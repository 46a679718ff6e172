// SPDX-License-Identifier: Apache-2.0
#include "netns/handicap.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "caps/prober.h"
#include "caps/report.h"

namespace tortie::test {
namespace {

constexpr std::size_t kArgumentOff = offsetof(seccomp_data, args);

// A handicap that cannot be had would make its test say nothing.
void require(bool done, const char *what)
{
    if (!done) {
        std::perror(what);
        ::_exit(2);
    }
}

struct Argument {
    unsigned index;
    std::uint32_t value;
};

void install_filter(long number, int err, const std::vector<Argument> &arguments)
{
    std::vector<sock_filter> code;
    // What does not match goes to the last instruction.
    const auto unless_equal_end = [&](std::uint32_t offset, std::uint32_t value) {
        code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0));
    };
    unless_equal_end(offsetof(seccomp_data, nr), static_cast<std::uint32_t>(number));
    for (const Argument &argument : arguments)
        unless_equal_end(static_cast<std::uint32_t>(kArgumentOff + 8 * argument.index),
                         argument.value);
    code.push_back(BPF_STMT(BPF_RET | BPF_K,
                            SECCOMP_RET_ERRNO | (static_cast<unsigned>(err) & SECCOMP_RET_DATA)));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    for (std::size_t at = 1; at + 2 < code.size(); at += 2)
        code[at].jf = static_cast<std::uint8_t>(code.size() - 2 - at);

    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

[[noreturn]] void probe_and_tell(const std::function<void()> &handicap, int out)
{
    handicap();
    caps::Report report;
    report.identity = {.product = "0", .boot_id = "0", .kernel_release = "0"};
    report.findings = caps::kernel_prober("/usr/sbin")->probe();
    ::_exit(write_all(out, caps::to_json(report, {}), "report") ? 0 : 1);
}

}  // namespace

void refuse_call(long number, int err, std::optional<std::uint32_t> first_argument)
{
    std::vector<Argument> arguments;
    if (first_argument)
        arguments.push_back({0, *first_argument});
    install_filter(number, err, arguments);
}

void refuse_sockets(int family, int protocol, int err)
{
    install_filter(
        SYS_socket, err,
        {{0, static_cast<std::uint32_t>(family)}, {2, static_cast<std::uint32_t>(protocol)}});
}

void mount_over(const std::string &directory, const char *kind, unsigned long flags)
{
    require(::unshare(CLONE_NEWNS) == 0, "mount namespace");
    require(::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
    require(::mount("tortie-test", directory.c_str(), kind, flags, nullptr) == 0, "mount");
}

void become_nobody()
{
    constexpr uid_t kNobody = 65534;
    require(::setresuid(kNobody, kNobody, kNobody) == 0, "setresuid");
}

caps::Findings probe_with(const std::function<void()> &handicap)
{
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd in(ends[0]);
    UniqueFd out(ends[1]);
    const pid_t child = ::fork();
    if (child == 0)
        probe_and_tell(handicap, out.get());
    out = UniqueFd();
    const auto json = read_to_end(in.get(), caps::kMaxReportBytes, "report");
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    const auto report = caps::parse_report(json ? *json : std::string());
    EXPECT_TRUE(report) << report.error().what();
    return report ? report->findings : caps::Findings{};
}

}  // namespace tortie::test
