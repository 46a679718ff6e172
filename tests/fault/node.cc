// SPDX-License-Identifier: Apache-2.0
#include "fault/node.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <span>
#include <vector>

#include "base/file.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"

namespace tortie::test {
namespace {

namespace fs = std::filesystem;

constexpr const char *kStateDirectories[] = {"/run", "/var/lib/cni", "/var/lib/tortie"};
constexpr std::size_t kMaxFileBytes = std::size_t{4} << 20;

// Sysctls of the node's and the pod's namespace that a plugin or a test's configuration writes.
constexpr const char *kNodeSysctls[] = {"ipv4/conf/vpod/route_localnet",
                                        "ipv4/conf/all/route_localnet",
                                        "ipv4/conf/lo/route_localnet"};  // all off at first
constexpr const char *kPodSysctls[] = {"core/somaxconn", "ipv4/conf/eth0/forwarding",
                                       "ipv4/conf/eth0/arp_filter"};

Result<> unshare_all()
{
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
        return fail_errno(errno, "make namespaces");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        return fail_errno(errno, "make mounts private");
    for (const char *directory : kStateDirectories) {
        TORTIE_DO(make_directories(directory, 0755));
        if (::mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
            return fail_errno(errno, std::string("mount ") + directory);
    }
    return {};
}

Result<> make_pod()
{
    TORTIE_DO(run_tool({"ip", "netns", "add", "pod"}));
    TORTIE_DO(run_tool({"ip", "link", "add", "vpod", "address", "0a:58:00:00:00:01", "type", "veth",
                        "peer", "name", "eth0", "address", "0a:58:00:00:00:02", "netns", "pod"}));
    TORTIE_DO(run_tool({"ip", "link", "set", "vpod", "addrgenmode", "none", "up"}));
    TORTIE_DO(run_tool({"ip", "addr", "add", "10.88.0.1/16", "dev", "vpod"}));
    TORTIE_DO(run_tool({"ip", "addr", "add", "fd88::1/64", "dev", "vpod", "nodad"}));
    TORTIE_DO(run_tool({"ip", "-n", "pod", "link", "set", "eth0", "addrgenmode", "none", "up"}));
    TORTIE_DO(run_tool({"ip", "-n", "pod", "addr", "add", "10.88.0.2/16", "dev", "eth0"}));
    TORTIE_DO(run_tool({"ip", "-n", "pod", "addr", "add", "fd88::2/64", "dev", "eth0", "nodad"}));
    TORTIE_DO(run_tool({"ip", "-n", "pod", "route", "add", "default", "via", "10.88.0.1"}));
    return {};
}

std::string fact(const std::string &source, const std::string &about, std::string_view text)
{
    return std::string(source).append(": ").append(about).append(": ").append(text);
}

// Each line with the tables and chains around it, so that equal rules in two chains are
// two facts.
void add_nested(Snapshot &snapshot, const std::string &source, std::string_view text)
{
    std::vector<std::string> inside;
    for (const std::string_view raw : split(text, '\n')) {
        std::string_view line = raw;
        line.remove_prefix(std::min(line.find_first_not_of("\t "), line.size()));
        if (line.empty() || line.starts_with('#'))
            continue;
        if (line == "}" && !inside.empty()) {
            inside.pop_back();
            continue;
        }
        std::string where = source;
        for (const std::string &block : inside)
            where.append(": ").append(block);
        snapshot.insert(where.append(": ").append(line));
        if (line.ends_with('{'))
            inside.emplace_back(line.substr(0, line.size() - 2));
    }
}

// Counters and the date do not matter.
void add_saved(Snapshot &snapshot, const std::string &source, std::string_view text)
{
    std::string table;
    for (std::string_view line : split(text, '\n')) {
        if (line.starts_with('*'))
            table = line;
        if (line.starts_with(':'))
            line = line.substr(0, line.find('['));
        if (!line.empty() && !line.starts_with('#') && line != "COMMIT")
            snapshot.insert(fact(source, table, line));
    }
}

void add_links(Snapshot &snapshot, const std::string &source, std::string_view text)
{
    std::string link;
    for (std::string_view line : split(text, '\n')) {
        if (!line.starts_with(' '))
            link = line.substr(0, line.find(" mtu"));
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        if (!line.empty() && !line.starts_with("valid_lft"))
            snapshot.insert(fact(source, link, line));
    }
}

void add_sysctls(Snapshot &snapshot, const std::string &source, std::span<const char *const> names)
{
    for (const char *name : names) {
        const auto value = read_file(std::string("/proc/sys/net/") + name, 4096);
        snapshot.insert(fact(source, name, value ? *value : "absent"));
    }
}

bool is_locked(const std::string &path)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    return fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

std::string describe_file(const fs::directory_entry &entry)
{
    struct stat st {};
    if (::lstat(entry.path().c_str(), &st) < 0)
        return "file: " + entry.path().string() + " vanished";
    std::string line = "file: " + entry.path().string() + ' ';
    for (int shift = 15; shift >= 0; shift -= 3)
        line += static_cast<char>('0' + ((st.st_mode >> shift) & 7));
    if (S_ISREG(st.st_mode)) {
        const auto content = read_file(entry.path().string(), kMaxFileBytes);
        line += ' ' + (content ? *content : content.error().what());
    }
    return line;
}

void add_files(Snapshot &snapshot, const std::string &directory)
{
    std::error_code error;
    for (fs::recursive_directory_iterator it(directory, error), end; it != end;
         it.increment(error)) {
        if (it->path() == "/run/netns") {
            it.disable_recursion_pending();
            continue;
        }
        snapshot.insert(describe_file(*it));
        if (it->is_regular_file(error) && is_locked(it->path().string()))
            snapshot.insert("lock: " + it->path().string() + " is held");
    }
}

std::string output_of(std::initializer_list<std::string> words)
{
    auto text = run_tool(words);
    return text ? *std::move(text) : "unknown: " + text.error().what();
}

void remove_files(const std::string &directory)
{
    std::error_code ignored;
    for (const auto &entry : fs::directory_iterator(directory, ignored)) {
        if (entry.path() != "/run/netns")
            fs::remove_all(entry.path(), ignored);
    }
}

}  // namespace

Result<std::string> run_tool(std::initializer_list<std::string> words)
{
    Command command{.argv = words, .env = minimal_environment(), .input = {}};
    TORTIE_TRY(command.argv[0], find_program(command.argv[0], ""));
    TORTIE_TRY(Exit exit, run_command(command));
    if (exit.status != 0) {
        std::string line;
        for (const std::string &word : words)
            line += word + ' ';
        return fail(ErrorKind::kSystem, line + "failed: " + exit.diagnostics);
    }
    return std::move(exit.output);
}

Result<> in_netns(const std::string &path, const std::function<void()> &work)
{
    const UniqueFd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    const UniqueFd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!home.valid() || !there.valid() || ::setns(there.get(), CLONE_NEWNET) < 0)
        return fail_errno(errno, "enter " + path);
    work();
    if (::setns(home.get(), CLONE_NEWNET) < 0)
        return fail_errno(errno, "return from " + path);
    return {};
}

Result<> enter_node()
{
    TORTIE_DO(unshare_all());
    TORTIE_DO(run_tool({"ip", "link", "set", "lo", "up"}));
    return make_pod();
}

Result<> renew_pod()
{
    TORTIE_DO(run_tool({"ip", "link", "del", "vpod"}));
    TORTIE_DO(run_tool({"ip", "netns", "del", "pod"}));
    return make_pod();
}

Result<> wipe_node()
{
    TORTIE_DO(run_tool({"nft", "flush", "ruleset"}));
    for (const char *directory : kStateDirectories)
        remove_files(directory);
    for (const char *name : kNodeSysctls) {
        const std::string path = std::string("/proc/sys/net/") + name;
        const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        TORTIE_DO(write_all(fd.get(), "0", path));
    }
    return {};
}

Snapshot take_snapshot(unsigned parts)
{
    Snapshot snapshot;
    if (parts & kNft)
        add_nested(snapshot, "nft", output_of({"nft", "list", "ruleset"}));
    if (parts & kIptables) {
        add_saved(snapshot, "iptables", output_of({"iptables-save"}));
        add_saved(snapshot, "ip6tables", output_of({"ip6tables-save"}));
    }
    const auto look = [&](const std::string &source, std::span<const char *const> sysctls) {
        if (parts & kLinks)
            add_links(snapshot, source, output_of({"ip", "-d", "addr", "show"}));
        if (parts & kSysctls)
            add_sysctls(snapshot, source, sysctls);
    };
    look("node", kNodeSysctls);
    if (auto entered = in_netns(kPodNetns, [&] { look("pod", kPodSysctls); }); !entered)
        snapshot.insert("pod: " + entered.error().what());
    if (parts & kFiles) {
        for (const char *directory : kStateDirectories)
            add_files(snapshot, directory);
    }
    return snapshot;
}

std::string difference(const Snapshot &before, const Snapshot &now, const Snapshot &tolerated)
{
    std::vector<std::string> gone;
    std::vector<std::string> added;
    std::vector<std::string> unexpected;
    std::set_difference(before.begin(), before.end(), now.begin(), now.end(),
                        std::back_inserter(gone));
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(),
                        std::back_inserter(added));
    std::set_difference(added.begin(), added.end(), tolerated.begin(), tolerated.end(),
                        std::back_inserter(unexpected));
    std::string text;
    for (const std::string &line : gone)
        text += "- " + line + '\n';
    for (const std::string &line : unexpected)
        text += "+ " + line + '\n';
    return text;
}

}  // namespace tortie::test
