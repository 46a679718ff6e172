// SPDX-License-Identifier: Apache-2.0
#include "harness/install_container.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/deadline.h"
#include "base/pause.h"
#include "base/subprocess.h"

namespace tortie::test {
namespace {

namespace fs = std::filesystem;

constexpr const char *kNewRoot = "/mnt";

Result<> require(bool truth, std::string_view doing)
{
    return truth ? Result<>() : fail_errno(errno, doing);
}

void must(bool truth)
{
    if (!truth)
        std::abort();
}

Result<> bind_mount(const std::string &from, const std::string &to)
{
    fs::create_directories(to);
    return require(::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0,
                   "bind " + from);
}

void empty_folder(const std::string &path)
{
    fs::create_directories(path);
    for (const auto &entry : fs::directory_iterator(path))
        fs::remove_all(entry.path());
}

std::vector<char *> pointers(std::vector<std::string> &words)
{
    std::vector<char *> all;
    all.reserve(words.size() + 1);
    for (std::string &word : words)
        all.push_back(word.data());
    all.push_back(nullptr);
    return all;
}

}  // namespace

Result<> enter_install_container()
{
    const std::string programs = fs::path(plugin_path("install")).parent_path();
    TORTIE_DO(require(::geteuid() == 0, "enter a container without being root"));
    TORTIE_DO(require(::unshare(CLONE_NEWNS | CLONE_NEWNET) == 0, "unshare mounts and network"));
    TORTIE_TRY(const Exit up, run_command({.argv = {"/usr/sbin/ip", "link", "set", "lo", "up"},
                                           .env = minimal_environment(),
                                           .input = {}}));
    TORTIE_DO(require(up.status == 0, "set lo up"));
    TORTIE_DO(require(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
                      "make mounts private"));
    const std::string root(kNewRoot);
    TORTIE_DO(require(::mount("tmpfs", kNewRoot, "tmpfs", 0, "mode=0755") == 0, "mount tmpfs"));
    for (const char *path : {"/usr", "/lib", "/lib64", "/bin", "/proc", "/dev"}) {
        if (fs::exists(path))
            TORTIE_DO(bind_mount(path, root + path));
    }
    TORTIE_DO(bind_mount(programs, root + "/programs"));
    fs::create_directories(root + "/tmp");
    TORTIE_DO(require(::chroot(kNewRoot) == 0 && ::chdir("/") == 0, "change root"));
    ::umask(022);
    return {};
}

void renew_install_container()
{
    for (const char *path : {kHostBin, kHostNet, kImageBin, "/tmp"})
        empty_folder(path);
    for (const char *path : {"/host/secondary-bin-dir", "/var/run/secrets", "/calico-secrets"})
        fs::remove_all(path);
    write_content(std::string(kImageBin) + "/install", "the installer", 0755);
    write_content(std::string(kImageBin) + "/calico", "calico of the image", 0755);
    fs::create_symlink("calico", std::string(kImageBin) + "/calico-ipam");
    write_content(std::string(kImageBin) + "/host-local", "host-local of the image", 0755);
    write_content(std::string(kImageBin) + "/portmap", "portmap of the image", 0755);
}

InstallEnv install_env(const InstallEnv &more)
{
    InstallEnv env = more;
    env.try_emplace("SLEEP", "false");
    env.try_emplace("KUBERNETES_NODE_NAME", "my-node");
    return env;
}

PluginOutcome run_install(const InstallEnv &env, const std::vector<std::string> &arguments)
{
    return run_plugin({.binary = kInstallProgram, .env = env, .input = "", .arguments = arguments});
}

std::string content_of(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return "<none>";
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_content(const std::string &path, std::string_view content, mode_t mode)
{
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    must(::chmod(path.c_str(), mode) == 0);
}

mode_t mode_of(const std::string &path)
{
    struct stat st {};
    return ::lstat(path.c_str(), &st) == 0 ? st.st_mode : 0;
}

std::vector<std::string> names_in(const std::string &folder)
{
    std::vector<std::string> names;
    for (const auto &entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

bool set_immutable(const std::string &path, bool immutable)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    int flags = 0;
    if (!fd.valid() || ::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) < 0)
        return false;
    flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    return ::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

Mounted Mounted::tmpfs(const std::string &path, const std::string &options)
{
    fs::create_directories(path);
    must(::mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) == 0);
    return Mounted(path);
}

Mounted Mounted::read_only(const std::string &path)
{
    must(::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0);
    must(::mount(nullptr, path.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    return Mounted(path);
}

Mounted::~Mounted()
{
    if (!path_.empty())
        ::umount2(path_.c_str(), MNT_DETACH);
}

RunningInstall::RunningInstall(const InstallEnv &env, const std::vector<std::string> &before)
{
    static int count = 0;
    log_path_ = "/tmp/install-" + std::to_string(++count) + ".log";
    std::vector<std::string> words = before;
    words.emplace_back(kInstallProgram);
    std::vector<std::string> variables;
    for (const auto &[key, value] : env)
        variables.push_back(std::string(key).append("=").append(value));
    posix_spawn_file_actions_t actions;
    must(::posix_spawn_file_actions_init(&actions) == 0);
    must(::posix_spawn_file_actions_addopen(&actions, 2, log_path_.c_str(),
                                            O_WRONLY | O_CREAT | O_APPEND, 0644) == 0);
    must(::posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, pointers(words).data(),
                       pointers(variables).data()) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
}

RunningInstall::~RunningInstall()
{
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::string RunningInstall::log() const
{
    return content_of(log_path_);
}

bool RunningInstall::waits_to_log(std::string_view text, std::chrono::milliseconds limit) const
{
    return becomes_true(limit, [&] { return log().find(text) != std::string::npos; });
}

int RunningInstall::end_with(int signal, std::chrono::milliseconds limit, pid_t target)
{
    ::kill(target == 0 ? pid_ : target, signal);
    int status = 0;
    if (!becomes_true(limit, [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }))
        return -1;
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool becomes_true(std::chrono::milliseconds limit, const std::function<bool()> &truth)
{
    const Deadline deadline = Deadline::in(limit);
    while (!truth()) {
        if (deadline.passed())
            return truth();
        pause_for(std::chrono::milliseconds(10));
    }
    return true;
}

}  // namespace tortie::test
