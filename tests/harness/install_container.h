// SPDX-License-Identifier: Apache-2.0
//
// The installer's container: this process gets network and mount namespaces and a root of its own,
// with the directories of an image, of a pod and of a host at the paths where the installer expects
// them. The host's are /host/opt/cni/bin, /host/secondary-bin-dir and /host/etc/cni/net.d.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "harness/plugin_call.h"

namespace tortie::test {

constexpr const char *kInstallProgram = "/programs/install";
constexpr const char *kHostBin = "/host/opt/cni/bin";
constexpr const char *kHostNet = "/host/etc/cni/net.d";
constexpr const char *kImageBin = "/opt/cni/bin";
constexpr const char *kPodSecrets = "/var/run/secrets/kubernetes.io/serviceaccount";

// Moves this process, for good, into the container. Once, with one thread.
// Errors: why this machine does not allow it.
Result<> enter_install_container();

// Makes everything as it is in a fresh container: image with calico, calico-ipam (a link),
// host-local, portmap and a directory; host directories empty; no pod, no secrets.
void renew_install_container();

using InstallEnv = std::map<std::string, std::string>;

// SLEEP=false and a node's name; `more` is added, or replaces.
InstallEnv install_env(const InstallEnv &more = {});

PluginOutcome run_install(const InstallEnv &env, const std::vector<std::string> &arguments = {});

// Files of the container.
std::string content_of(const std::string &path);  // "<none>" when it cannot be read
void write_content(const std::string &path, std::string_view content, mode_t mode = 0644);
mode_t mode_of(const std::string &path);                       // type and permissions; 0: not there
std::vector<std::string> names_in(const std::string &folder);  // sorted
bool set_immutable(const std::string &path, bool immutable);   // false: not on this file system

// A file system of its own at `path` until the object dies.
class Mounted {
public:
    // tmpfs with these options ("size=64k"), or `path` itself read-only.
    static Mounted tmpfs(const std::string &path, const std::string &options);
    static Mounted read_only(const std::string &path);

    ~Mounted();
    Mounted(Mounted &&other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
    Mounted &operator=(Mounted &&) = delete;
    Mounted(const Mounted &) = delete;
    Mounted &operator=(const Mounted &) = delete;

private:
    explicit Mounted(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// An installer that stays (SLEEP=true), killed when the object dies.
class RunningInstall {
public:
    // `before` goes in front of the program: {"/usr/bin/unshare", "--pid", "--fork"}.
    explicit RunningInstall(const InstallEnv &env, const std::vector<std::string> &before = {});
    ~RunningInstall();
    RunningInstall(const RunningInstall &) = delete;
    RunningInstall &operator=(const RunningInstall &) = delete;
    RunningInstall(RunningInstall &&) = delete;
    RunningInstall &operator=(RunningInstall &&) = delete;

    std::string log() const;
    bool waits_to_log(std::string_view text, std::chrono::milliseconds limit) const;
    pid_t pid() const { return pid_; }

    // Sends the signal to `target` (this process by default) and gives the exit status, 128 +
    // signal, or -1 when it is still there after `limit`.
    int end_with(int signal, std::chrono::milliseconds limit, pid_t target = 0);

private:
    std::string log_path_;
    pid_t pid_ = -1;
};

// Polls. True when `truth` became true in time.
bool becomes_true(std::chrono::milliseconds limit, const std::function<bool()> &truth);

}  // namespace tortie::test
