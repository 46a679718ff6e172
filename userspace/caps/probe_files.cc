// SPDX-License-Identifier: Apache-2.0
//
// What shows itself in file systems.
#include <dirent.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/strings.h"
#include "caps/bpf_call.h"
#include "caps/judge.h"
#include "caps/probes.h"

namespace tortie::caps {
namespace {

constexpr const char *kBpffs = "/sys/fs/bpf";
constexpr const char *kTypes = "/sys/kernel/btf";
constexpr std::uint16_t kTypesMagic = 0xeB9F;

// Mounts over a directory that the kernel makes for this kind of file system, in the mount
// namespace that is ours. ENODEV: no such kind. ENOENT is a no only where sysfs is to be seen.
Finding mount_at(const Scratch &scratch, const char *kind, const char *where)
{
    if (scratch.mounts().support != Support::kYes)
        return scratch.mounts();
    const std::string doing = std::string("mount ") + kind + " at " + where;
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    const int err = ::mount("tortie", where, kind, flags, nullptr) < 0 ? errno : 0;
    struct statfs sysfs {};
    if (err == ENOENT && ::statfs("/sys", &sysfs) == 0 && sysfs.f_type == SYSFS_MAGIC)
        return judge(doing, err, {ENOENT});
    return judge(doing, err, {ENODEV});
}

bool no_modules_loaded()
{
    constexpr std::size_t kMaxBytes = 1 << 20;
    const auto modules = read_file("/proc/modules", kMaxBytes);
    return !modules || modules->empty();
}

// A module in the directory of types; empty when there is none.
std::string any_module(DIR *directory)
{
    while (const dirent *entry = ::readdir(directory)) {  // NOLINT(concurrency-mt-unsafe): own DIR
        const std::string_view name = entry->d_name;
        if (!name.starts_with('.') && name != "vmlinux")
            return std::string(name);
    }
    return {};
}

}  // namespace

Finding probe_bpffs(const Scratch &scratch)
{
    if (Finding mounted = mount_at(scratch, "bpf", kBpffs); mounted.support != Support::kYes)
        return mounted;
    const bpf::Tried map = bpf::create_map({.type = BPF_MAP_TYPE_ARRAY});
    if (map.err != 0)
        return judge("BPF_MAP_CREATE array", map);
    return judge("mount bpf and BPF_OBJ_PIN there",
                 bpf::pin(map.fd.get(), std::string(kBpffs) + "/tt_probe"), {ENOSYS, EINVAL});
}

Finding look_for_bpffs()
{
    struct statfs found {};
    if (::statfs(kBpffs, &found) < 0)
        return judge("statfs(/sys/fs/bpf)", errno, {ENOENT});
    if (found.f_type != BPF_FS_MAGIC)
        return {Support::kNo, "statfs(/sys/fs/bpf): nothing is mounted there"};
    if ((found.f_flags & ST_RDONLY) != 0)
        return {Support::kNo, "statfs(/sys/fs/bpf): bpf, mounted read-only"};
    return {Support::kYes, "statfs(/sys/fs/bpf): bpf"};
}

// To be asked before probe_bpffs() mounts its own there.
Finding probe_bpffs_mounted(const Scratch &)
{
    return look_for_bpffs();
}

Finding probe_kernel_btf(const Scratch &)
{
    const std::string path = std::string(kTypes) + "/vmlinux";
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid())
        return judge("open " + path, errno, {ENOENT});
    btf_header header{};
    if (::read(file.get(), &header, sizeof(header)) != sizeof(header) ||
        header.magic != kTypesMagic)
        return {Support::kNo, "read " + path + ": not the kernel's types"};
    return {Support::kYes, "read " + path + ": " +
                               std::to_string((header.type_len + header.str_len) >> 10) + " KiB"};
}

Finding probe_module_btf(const Scratch &)
{
    const std::unique_ptr<DIR, int (*)(DIR *)> directory(::opendir(kTypes), ::closedir);
    if (!directory)
        return judge("open /sys/kernel/btf", errno, {ENOENT});
    if (const std::string module = any_module(directory.get()); !module.empty())
        return {Support::kYes, "list /sys/kernel/btf: " + module};
    if (no_modules_loaded())
        return {Support::kUnknown, "list /sys/kernel/btf: no module is loaded"};
    return {Support::kNo, "list /sys/kernel/btf: none of the loaded modules"};
}

// There is one hierarchy: where it is mounted already, the kernel refuses a second one.
Finding probe_cgroup2(const Scratch &scratch)
{
    constexpr const char *kWhere = "/sys/fs/cgroup";
    struct statfs found {};
    if (::statfs(kWhere, &found) == 0 && found.f_type == CGROUP2_SUPER_MAGIC)
        return {Support::kYes, "statfs(/sys/fs/cgroup): cgroup2"};
    return mount_at(scratch, "cgroup2", kWhere);
}

Finding probe_openat2(const Scratch &)
{
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_MAGICLINKS;
    const UniqueFd root(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how))));
    return judge("openat2(/)", root.valid() ? 0 : errno, {ENOSYS});
}

// Integrity and confidentiality: which of them takes what away is asked by its own question.
Finding probe_no_lockdown(const Scratch &scratch)
{
    constexpr const char *kPath = "/sys/kernel/security/lockdown";
    constexpr std::size_t kMaxBytes = 256;
    if (::access(kPath, F_OK) != 0) {
        Finding mounted = mount_at(scratch, "securityfs", "/sys/kernel/security");
        if (mounted.support == Support::kUnknown)
            return mounted;
    }
    const auto text = read_file(kPath, kMaxBytes);
    if (!text && text.error().kind() == ErrorKind::kNotFound)
        return {Support::kYes, std::string("read ") + kPath + ": there is no such thing"};
    if (!text)
        return {Support::kUnknown, text.error().what()};
    const bool none = text->find("[none]") != std::string::npos;
    return {none ? Support::kYes : Support::kNo,
            std::string("read ") + kPath + ": " + std::string(trim(*text))};
}

}  // namespace tortie::caps
