// SPDX-License-Identifier: Apache-2.0
#include "tuning/allowlist.h"

#include <fcntl.h>

#include <cerrno>

#include "base/file.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "tuning/regexp.h"

namespace tortie::tuning {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 10;
constexpr std::size_t kMaxKeyBytes = 256;  // the kernel's longest is below 100

}  // namespace

Allowlist Allowlist::parse(std::string_view text)
{
    Allowlist list;
    for (const std::string_view line : split(text, '\n')) {
        if (const std::string_view trimmed = trim(line); !trimmed.empty())
            list.lines_.emplace_back(trimmed);
    }
    return list;
}

Result<Allowlist> Allowlist::load(const std::string &path)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid() && errno == ENOENT) {
        Allowlist list;
        list.everything_ = true;
        return list;
    }
    if (!fd.valid())
        return fail(go_error(errno, "open " + path));
    TORTIE_TRY(const std::string text, read_to_end(fd.get(), kMaxFileBytes, path));
    return parse(text);
}

Result<> Allowlist::check(const std::string &key) const
{
    if (everything_)
        return {};
    for (const std::string &line : lines_) {
        TORTIE_TRY(const Regexp expression, Regexp::compile(line));
        if (key.size() <= kMaxKeyBytes && expression.matches_in(key))
            return {};
    }
    return fail(ErrorKind::kInvalidInput,
                "Sysctl " + key + " is not allowed. Only the following sysctls are allowed: [" +
                    join(lines_, " ") + ']');
}

}  // namespace tortie::tuning
