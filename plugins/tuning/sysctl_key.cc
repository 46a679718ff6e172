// SPDX-License-Identifier: Apache-2.0
#include "tuning/sysctl_key.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"

namespace tortie::tuning {
namespace {

constexpr std::string_view kPlaceholder = "IFNAME";

// The path below /proc/sys with "." and ".." taken out, as Go's filepath.Join does: they come from
// IFNAME only, whose callers may not have checked it.
std::vector<std::string_view> cleaned(std::string_view path)
{
    std::vector<std::string_view> parts = {"proc", "sys"};
    for (const std::string_view part : split(path, '/')) {
        if (part.empty() || part == ".")
            continue;
        if (part != "..")
            parts.push_back(part);
        else if (!parts.empty())
            parts.pop_back();
    }
    return parts;
}

}  // namespace

Result<std::string> sysctl_name(std::string_view key, std::string_view ifname)
{
    std::string path(key);
    std::replace(path.begin(), path.end(), '.', '/');
    if (const std::size_t at = path.find(kPlaceholder); at != std::string::npos)
        path.replace(at, kPlaceholder.size(), ifname);

    const std::vector<std::string_view> parts = cleaned(path);
    constexpr std::string_view kRoot[] = {"proc", "sys", "net"};
    if (parts.size() <= std::size(kRoot) ||
        !std::equal(std::begin(kRoot), std::end(kRoot), parts.begin()))
        return fail(ErrorKind::kInvalidInput, "invalid net sysctl key: " + go_quoted(path));

    std::string name;
    for (std::size_t i = std::size(kRoot); i < parts.size(); ++i)
        name.append(name.empty() ? "" : "/").append(parts[i]);
    return name;
}

}  // namespace tortie::tuning
