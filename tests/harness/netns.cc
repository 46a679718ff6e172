// SPDX-License-Identifier: Apache-2.0
#include "harness/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "base/subprocess.h"
#include "base/unique_fd.h"

namespace tortie::test {
namespace {

constexpr const char *kNamed = "/run/netns/";

// In a thread of its own, because the one that unshares stays in the new namespace.
void make_namespace_at(const std::string &path)
{
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) < 0 ||
            ::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) < 0)
            ADD_FAILURE() << "new network namespace " << path << ": errno " << errno;
    }).join();
}

Result<Exit> run_argv(const std::vector<std::string> &argv)
{
    TORTIE_TRY(std::string program, find_program(argv.at(0), ""));
    Command command;
    command.argv = argv;
    command.argv[0] = std::move(program);
    command.env = minimal_environment();
    return run_command(command);
}

}  // namespace

Netns::Netns()
{
    static std::atomic<int> count = 0;
    name_ = "tt-" + std::to_string(::getpid()) + '-' + std::to_string(++count);
    path_ = kNamed + name_;
    ::mkdir(kNamed, 0755);
    const UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (!file.valid())
        ADD_FAILURE() << "create " << path_ << ": errno " << errno;
    make_namespace_at(path_);
}

Netns::~Netns()
{
    remove();
}

void Netns::remove()
{
    ::umount2(path_.c_str(), MNT_DETACH);
    ::unlink(path_.c_str());
}

std::optional<std::string> Netns::try_run(const std::vector<std::string> &argv) const
{
    return inside([&] { return try_run_here(argv); });
}

std::string Netns::run(const std::vector<std::string> &argv) const
{
    const auto exit = inside([&] { return run_argv(argv); });
    EXPECT_TRUE(exit) << exit.error().what();
    if (!exit)
        return {};
    EXPECT_EQ(exit->status, 0) << testing::PrintToString(argv) << ": " << exit->diagnostics;
    return exit->output;
}

std::string Netns::ip(const std::vector<std::string> &arguments) const
{
    std::vector<std::string> argv{"ip"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run(argv);
}

void veth_pair(const Netns &a, const std::string &name_a, const Netns &b, const std::string &name_b)
{
    a.ip({"link", "add", name_a, "type", "veth", "peer", "name", name_b, "netns", b.name()});
}

std::optional<std::string> try_run_here(const std::vector<std::string> &argv)
{
    auto exit = run_argv(argv);
    if (!exit || exit->status != 0)
        return std::nullopt;
    return std::move(exit->output);
}

}  // namespace tortie::test
