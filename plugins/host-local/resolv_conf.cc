// SPDX-License-Identifier: Apache-2.0
#include "host-local/resolv_conf.h"

#include <fcntl.h>

#include <cerrno>
#include <vector>

#include "base/file.h"
#include "base/strings.h"
#include "base/unique_fd.h"

namespace tortie::host_local {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

}  // namespace

cni::Dns parse_resolv_conf(std::string_view text)
{
    cni::Dns dns;
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = words(line);
        if (fields.size() < 2 || fields[0].front() == '#' || fields[0].front() == ';')
            continue;
        if (fields[0] == "nameserver")
            dns.nameservers.emplace_back(fields[1]);
        else if (fields[0] == "domain")
            dns.domain = fields[1];
        else if (fields[0] == "search")
            dns.search.insert(dns.search.end(), fields.begin() + 1, fields.end());
        else if (fields[0] == "options")
            dns.options.insert(dns.options.end(), fields.begin() + 1, fields.end());
    }
    return dns;
}

Result<cni::Dns> read_resolv_conf(const std::string &path)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid())
        return fail(go_error(errno, "open " + path));
    TORTIE_TRY(const std::string text, read_to_end(fd.get(), kMaxBytes, path));
    return parse_resolv_conf(text);
}

}  // namespace tortie::host_local
