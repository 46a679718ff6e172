// SPDX-License-Identifier: Apache-2.0
#include "calico/node_files.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMostBytes = 4096;

std::string host_name()
{
    struct utsname names {};
    if (::uname(&names) != 0)
        return "";
    std::string name(trim(names.nodename));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return name;
}

}  // namespace

std::string node_name(const NodeNameSources &sources)
{
    if (!sources.nodename.empty())
        return sources.nodename;
    if (const auto content = read_file(sources.nodename_file, kMostBytes)) {
        if (const auto name = trim(*content); !name.empty())
            return std::string(name);
    }
    if (sources.hostname.empty())
        return host_name();
    log::warn("Configuration option 'hostname' is deprecated, use 'nodename' instead.");
    return sources.hostname;
}

Result<> require_nodename_file(const std::string &path)
{
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0)
        return {};
    return fail(ErrorKind::kTryAgain, go_error(errno, "stat " + path).what() +
                                          ": check that the calico/node container is running and "
                                          "has mounted /var/lib/calico/");
}

Result<std::optional<std::int64_t>> read_mtu_file(const std::string &path, bool required)
{
    constexpr std::string_view kDoing = "failed to read MTU file";
    auto content = read_file(path, kMostBytes);
    if (!content && content.error().kind() == ErrorKind::kNotFound && !required) {
        log::debug("File does not exist, skipping the error since RequireMTUFile is false",
                   {{"file", path}});
        return std::nullopt;
    }
    if (!content && content.error().kind() == ErrorKind::kNotFound)
        return fail(Error(ErrorKind::kTryAgain, content.error().what()).within(kDoing));
    if (!content)
        return fail(std::move(content).error().within(kDoing));
    const std::string_view text = trim(*content);
    const auto mtu = parse_number<std::int64_t>(text);
    if (!mtu || *mtu < 0 || *mtu > std::numeric_limits<std::uint32_t>::max())
        return fail(ErrorKind::kInvalidInput, std::string(kDoing) + ": strconv.Atoi: parsing " +
                                                  go_quoted(text) + ": invalid syntax");
    return mtu;
}

}  // namespace tortie::calico
