// SPDX-License-Identifier: Apache-2.0
#include "install/node_commands.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "base/result.h"
#include "datapath/ebpf_removal.h"
#include "datapath/iptables_port_mapper.h"
#include "datapath/nftables_port_mapper.h"
#include "install/conflist_edit.h"
#include "install/datapath_choice.h"
#include "install/node_paths.h"
#include "install/node_report.h"
#include "install/probe/probe_command.h"
#include "install/record.h"
#include "install/staged_file.h"
#include "install/support_archive.h"
#include "install/uninstall.h"

namespace tortie::installer {
namespace {

using Words = std::vector<std::string>;

constexpr int kStdout = 1;
constexpr int kStderr = 2;
constexpr std::chrono::milliseconds kLockPatience{60'000};
constexpr std::size_t kMostConfBytes = 1024UL * 1024;
constexpr const char *kIptablesLock = "/run/tortie/portmap-iptables.lock";
constexpr const char *kHostTools = "/usr/sbin:/usr/bin:/sbin:/bin";

int say(int fd, std::string_view text, int status)
{
    return write_all(fd, text, "output") ? status : 1;
}

int complain(const Error &error, int status = 1)
{
    return say(kStderr, "install: " + error.what() + "\n", status);
}

// Takes `--root DIR` out and goes there: the node's own root, mounted into a container.
Result<> enter_root(Words &words)
{
    const auto option = std::find(words.begin(), words.end(), "--root");
    if (option == words.end())
        return {};
    const auto folder = std::next(option);
    if (folder == words.end())
        return fail(ErrorKind::kInvalidInput, "--root needs a directory");
    if (::chroot(folder->c_str()) < 0 || ::chdir("/") < 0)
        return fail(go_error(errno, "change root to " + *folder));
    words.erase(option, std::next(folder));
    return {};
}

// Takes a switch out. True when it was there.
bool take(Words &words, std::string_view name)
{
    const auto found = std::find(words.begin(), words.end(), name);
    if (found == words.end())
        return false;
    words.erase(found);
    return true;
}

int refuse(const Words &words)
{
    return complain(
        Error(ErrorKind::kInvalidInput,
              (words.empty() ? "an argument is missing" : "cannot make sense of " + words.front()) +
                  "; install --help lists what it knows"),
        2);
}

int status(Words words)
{
    const bool metrics = take(words, "--metrics");
    if (!words.empty())
        return refuse(words);
    const NodeReport report = report_node(get_env);
    if (metrics)
        return say(kStdout, metrics_text(report.samples), 0);
    return say(kStdout, text_of(report), report.problems() == 0 ? 0 : 1);
}

int dump(const Words &words)
{
    if (!words.empty())
        return refuse(words);
    if (::isatty(kStdout) == 1)
        return complain(Error(ErrorKind::kInvalidInput, "dump writes a tar archive: > dump.tar"),
                        2);
    return say(kStdout, tar_of(collect_support_files(get_env)), 0);
}

int remove_all(const Words &words)
{
    if (!words.empty())
        return refuse(words);
    NftablesPortMapper nftables(kHostTools);
    IptablesPortMapper iptables(kHostTools, kIptablesLock);
    const auto lines = uninstall(nftables, iptables);
    if (!lines)
        return complain(lines.error());
    std::string text;
    for (const std::string &line : *lines)
        text.append(line).append("\n");
    return say(kStdout, text, 0);
}

bool is_configuration(const std::string &record_name)
{
    return record_name.starts_with("net.d/") &&
           (record_name.ends_with(".conflist") || record_name.ends_with(".conf"));
}

// In every configuration that the installer wrote and nobody changed since.
Result<> write_datapath(const Folder &folder, std::string_view value)
{
    Record record = Record::load(folder);
    const auto files = record.files();
    for (const auto &[name, hashes] : files) {
        const std::string file = name.substr(name.find('/') + 1);
        const auto text =
            is_configuration(name) ? folder.read(file, kMostConfBytes) : Result<std::string>("");
        if (!text || text->empty() || hashes.count(sha256_hex(*text)) == 0)
            continue;
        const std::string changed = with_datapath(*text, value);
        record.will_write(name, sha256_hex(changed));
        TORTIE_DO(record.save(folder));
        TORTIE_DO(replace_file_in(folder, file, changed, 0600));
    }
    record.settle();
    return record.save(folder);
}

Result<> switch_datapath(const std::string &wish)
{
    TORTIE_TRY(const Folder folder, open_configurations(find_node_paths()));
    TORTIE_DO(folder.lock(kLockPatience));
    if (wish == "auto") {
        TORTIE_DO(folder.remove(kChoiceName));
        return write_datapath(folder, "");
    }
    TORTIE_DO(replace_file_in(folder, kChoiceName, wish + "\n", 0600));
    TORTIE_DO(write_datapath(folder, wish));
    return remove_ebpf();
}

int datapath(const Words &words)
{
    if (words.size() != 1 || (words[0] != "netfilter" && words[0] != "auto"))
        return refuse(words);
    if (auto done = switch_datapath(words[0]); !done)
        return complain(done.error());
    return say(kStdout, "datapath is " + words[0] + " now\n", 0);
}

int probe(std::span<const char *const> arguments)
{
    auto parsed = parse_probe_arguments(arguments);
    if (!parsed)
        return complain(parsed.error(), 2);
    if (parsed->help)
        return say(kStdout, probe_help(), 0);
    const char *disabled = get_env("TORTIE_DISABLE");
    parsed->disabled = disabled ? disabled : "";
    const auto prober = caps::kernel_prober(kHostTools);
    const auto output = run_probe(*parsed, *prober);
    return output ? say(kStdout, *output, 0)
                  : complain(output.error(),
                             output.error().kind() == ErrorKind::kInvalidInput ? 2 : 1);
}

bool is_command(std::string_view name)
{
    constexpr std::string_view kNames[] = {"status", "dump", "uninstall", "datapath", "probe"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

std::optional<int> run_node_command(std::string_view name, std::span<const char *const> arguments)
{
    if (!is_command(name))
        return std::nullopt;
    if (auto hardened = harden_process(); !hardened)
        return complain(hardened.error());
    if (name == "probe")
        return probe(arguments);
    Words words(arguments.begin(), arguments.end());
    if (::geteuid() != 0)
        return complain(Error(ErrorKind::kInvalidInput, std::string(name) + " needs root"));
    if (auto entered = enter_root(words); !entered)
        return complain(entered.error(), entered.error().sys_errno() == 0 ? 2 : 1);
    if (name == "status")
        return status(std::move(words));
    if (name == "dump")
        return dump(words);
    if (name == "uninstall")
        return remove_all(words);
    return datapath(words);
}

}  // namespace tortie::installer
