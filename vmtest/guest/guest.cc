// SPDX-License-Identifier: Apache-2.0
//
// Process 1 of a test machine. Does what /tortie/plan says, line by line, reports on the second
// serial port and switches the machine off. The lines, words between single spaces:
//
//   mount TYPE PATH           makes the folder, too
//   hide PATH                 an empty folder over it
//   write PATH TEXT
//   env NAME=VALUE            for every program that follows
//   run NAME SECONDS ARGV...  with a deadline; reported by its name
//   shell ARGV...             on the serial port
//
// vmtest/runner/plan.py writes it. A step that fails is reported ("@@ failed STEP: why") and the
// next one is done: a kernel that lacks something is what the machine is for.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/strings.h"
#include "guest/console.h"
#include "guest/program.h"

namespace tortie::vm {
namespace {

constexpr const char *kPlan = "/tortie/plan";
constexpr std::size_t kMaxPlanBytes = 1 << 20;

using Words = std::vector<std::string>;

Result<> mount_at(const std::string &type, const std::string &path)
{
    TORTIE_DO(make_directories(path, 0755));
    if (::mount(type.c_str(), path.c_str(), type.c_str(), 0, nullptr) < 0)
        return fail_errno(errno, "mount " + type);
    return {};
}

Result<> hide(const std::string &path)
{
    const std::string nothing = "/run/nothing";
    TORTIE_DO(make_directories(nothing, 0755));
    if (::mount(nothing.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) < 0)
        return fail_errno(errno, "mount over " + path);
    return {};
}

Result<> write_to(const std::string &path, const std::string &text)
{
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.valid())
        return fail_errno(errno, "open");
    return write_all(file.get(), text, path);
}

class Guest {
public:
    explicit Guest(UniqueFd port) : port_(std::move(port)) {}

    void follow(std::string_view line)
    {
        Words step;
        for (const std::string_view word : words(line))
            step.emplace_back(word);
        if (step.empty())
            return;
        const auto done = carry_out(step);
        if (!done)
            report(port_, "failed " + std::string(line) + ": " + done.error().what());
    }

    // Does not return. What QEMU ends with says whether all programs ended with 0.
    [[noreturn]] void leave()
    {
        report(port_, "done " + std::to_string(failed_));
        switch_off(port_, failed_ > 0 ? 1 : 0);
    }

private:
    Result<> carry_out(const Words &step)
    {
        const std::string &verb = step[0];
        if (verb == "mount" && step.size() == 3)
            return mount_at(step[1], step[2]);
        if (verb == "hide" && step.size() == 2)
            return hide(step[1]);
        if (verb == "write" && step.size() == 3)
            return write_to(step[1], step[2]);
        if (verb == "env" && step.size() == 2) {
            env_.push_back(step[1]);
            return {};
        }
        if (verb == "run" && step.size() > 3)
            return run_named(step);
        if (verb == "shell" && step.size() > 1)
            return run_shell(step);
        return fail(ErrorKind::kInvalidInput, "no such step");
    }

    Result<> run_named(const Words &step)
    {
        const auto seconds = parse_number<unsigned>(step[2]);
        if (!seconds)
            return fail(ErrorKind::kInvalidInput, "no number of seconds");
        report(port_, "begin " + step[1]);
        const std::string how = run({.argv = {step.begin() + 3, step.end()},
                                     .env = env_,
                                     .deadline = std::chrono::seconds(*seconds)},
                                    port_);
        failed_ += how != "exited 0";
        report(port_, "end " + step[1] + " " + how);
        return {};
    }

    Result<> run_shell(const Words &step)
    {
        run({.argv = {step.begin() + 1, step.end()},
             .env = env_,
             .deadline = std::chrono::hours(24),
             .interactive = true},
            port_);
        return {};
    }

    UniqueFd port_;
    Words env_;
    int failed_ = 0;
};

int guest()
{
    allow_switch_off();
    // Without /dev there is no port to report to.
    const auto devices = mount_at("devtmpfs", "/dev");
    auto port = open_report();
    if (!devices || !port)
        return 1;  // the kernel panics, which ends QEMU
    Guest guest(*std::move(port));
    const auto plan = read_file(kPlan, kMaxPlanBytes);
    for (const std::string_view line : split(plan ? std::string_view(*plan) : "", '\n'))
        guest.follow(line);
    guest.leave();
}

}  // namespace
}  // namespace tortie::vm

int main()
{
    return tortie::vm::guest();
}
