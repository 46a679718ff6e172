// SPDX-License-Identifier: Apache-2.0
#include "install/support_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/strings.h"
#include "datapath/handover.h"
#include "install/datapath_choice.h"
#include "install/folder.h"
#include "install/node_paths.h"
#include "install/node_report.h"
#include "install/record.h"

namespace tortie::installer {
namespace {

constexpr std::size_t kBlock = 512;  // of a tar archive
constexpr std::size_t kMostConfBytes = 1024UL * 1024;
constexpr std::string_view kRemoved = "<removed>";

std::string octal(std::uint64_t number, std::size_t digits)
{
    std::string text(digits, '0');
    for (std::size_t i = digits; i > 0; --i, number /= 8)
        text[i - 1] = static_cast<char>('0' + number % 8);
    return text;
}

// Offsets and lengths: POSIX.1-1988, "ustar".
std::string header_of(const ArchiveFile &file)
{
    std::string header(kBlock, '\0');
    const auto put = [&](std::size_t off, std::string_view text) {
        std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(off));
    };
    put(0, std::string_view(file.name).substr(0, 99));
    put(100, octal(0600, 7));
    put(108, octal(0, 7));
    put(116, octal(0, 7));
    put(124, octal(file.content.size(), 11));
    put(136, octal(0, 11));
    put(148, "        ");
    put(156, "0");
    put(257, std::string_view("ustar\0"
                              "00",
                              8));
    std::uint64_t sum = 0;
    for (const char c : header)
        sum += static_cast<unsigned char>(c);
    put(148, octal(sum, 6));
    put(154, std::string_view("\0 ", 2));
    return header;
}

bool speaks_of_secrets(std::string_view key)
{
    constexpr std::array<std::string_view, 7> kWords = {"token", "password",   "passwd", "secret",
                                                        "key",   "credential", "auth"};
    const std::string lower = ascii_lower(key);
    return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
        return lower.find(word) != std::string::npos;
    });
}

// A JWT, a PEM block, or a long run without a blank, slash or colon: none of them is configuration.
bool looks_like_secret(std::string_view value)
{
    const bool is_run = value.size() >= 40 && value.find_first_of(" /:") == std::string_view::npos;
    return is_run || value.find("-----BEGIN") != std::string_view::npos || value.starts_with("eyJ");
}

std::string listing_of(const std::string &path)
{
    const auto folder = Folder::open(path);
    const auto names = folder ? folder->names() : Result<std::vector<std::string>>();
    if (!folder || !names)
        return path + ": cannot be listed\n";
    std::string text;
    for (const std::string &name : *names) {
        struct stat st {};
        if (::fstatat(folder->fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        text.append(octal(st.st_mode, 6)).append(" ").append(std::to_string(st.st_uid));
        text.append(":").append(std::to_string(st.st_gid)).append(" ");
        text.append(std::to_string(st.st_size)).append(" ").append(folder->path_of(name));
        text += '\n';
    }
    return text;
}

std::string machine()
{
    utsname name{};
    if (::uname(&name) < 0)
        return "";
    return std::string(name.sysname) + ' ' + name.release + ' ' + name.version + ' ' +
           name.machine + '\n';
}

void add_configurations(const Folder &folder, std::vector<ArchiveFile> &files)
{
    const auto names = folder.names();
    if (!names)
        return;
    for (const std::string &name : *names) {
        const bool is_conf = name.ends_with(".conflist") || name.ends_with(".conf");
        const auto text =
            is_conf ? folder.read(name, kMostConfBytes) : Result<std::string>(std::string());
        if (is_conf && text)
            files.push_back({"net.d/" + name, without_secrets(*text)});
    }
    for (const char *name : {kReportName, kRecordName, kChoiceName}) {
        if (auto text = folder.read(name, kMostConfBytes))
            files.push_back({std::string("net.d/") + name, *std::move(text)});
    }
}

}  // namespace

std::string tar_of(const std::vector<ArchiveFile> &files)
{
    std::string archive;
    for (const ArchiveFile &file : files) {
        archive.append(header_of(file)).append(file.content);
        archive.append((kBlock - file.content.size() % kBlock) % kBlock, '\0');
    }
    return archive.append(2 * kBlock, '\0');
}

std::string without_secrets(std::string_view json)
{
    std::string result;
    std::string_view key;
    for (std::size_t at = 0; at < json.size();) {
        if (json[at] != '"') {
            if (json[at] == ',' || json[at] == '{')
                key = {};
            result += json[at++];
            continue;
        }
        std::size_t end = at + 1;
        while (end < json.size() && json[end] != '"')
            end += json[end] == '\\' ? 2U : 1U;
        end = std::min(end, json.size());
        const std::string_view text = json.substr(at + 1, end - at - 1);
        const std::size_t next = json.find_first_not_of(" \t\r\n", std::min(end + 1, json.size()));
        const bool is_key = next != std::string_view::npos && json[next] == ':';
        const bool hide = !is_key && (speaks_of_secrets(key) || looks_like_secret(text));
        result.append("\"").append(hide ? kRemoved : text).append("\"");
        if (is_key)
            key = text;
        at = end + 1;
    }
    return result;
}

std::vector<ArchiveFile> collect_support_files(const kube::GetEnv &get_env)
{
    const NodeReport report = report_node(get_env);
    std::vector<ArchiveFile> files = {{"status.txt", text_of(report)},
                                      {"metrics.prom", metrics_text(report.samples)},
                                      {"version.txt", TORTIE_VERSION "\n"},
                                      {"machine.txt", machine()}};
    if (const auto ports = list_host_ports())
        files.push_back({"host-ports.txt", join(*ports, "\n") + "\n"});
    const NodePaths paths = find_node_paths();
    std::string listing = listing_of(paths.net);
    for (const NodePaths::Binaries &binaries : paths.binaries)
        listing += listing_of(binaries.path);
    files.push_back({"files.txt", std::move(listing)});
    if (const auto folder = open_configurations(paths))
        add_configurations(*folder, files);
    return files;
}

}  // namespace tortie::installer
