// SPDX-License-Identifier: Apache-2.0
#include "caps/judge.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace tortie::caps {
namespace {

std::string_view errno_name(int err)
{
    const char *name = ::strerrorname_np(err);
    return name == nullptr ? "an unknown errno" : name;
}

bool is_refusal(int err)
{
    return err == EPERM || err == EACCES;
}

Finding finding(Support support, std::string_view doing, std::string_view answer)
{
    return {support, std::string(doing).append(": ").append(answer)};
}

}  // namespace

Finding judge(std::string_view doing, int err, std::initializer_list<int> absent)
{
    if (err == 0)
        return finding(Support::kYes, doing, "works");
    const bool no =
        !is_refusal(err) && std::find(absent.begin(), absent.end(), err) != absent.end();
    return finding(no ? Support::kNo : Support::kUnknown, doing, errno_name(err));
}

Finding judge(std::string_view doing, const bpf::Tried &tried)
{
    // The verifier says EACCES for what it forbids; without its words it is a refusal of others.
    if (!tried.log.empty() && tried.err != EPERM)
        return finding(Support::kNo, doing,
                       std::string(errno_name(tried.err)).append(", ").append(tried.log));
    return judge(doing, tried.err, {EINVAL, E2BIG, ENOSYS});
}

Finding judge(std::string_view doing, const Result<> &result,
              std::initializer_list<ErrorKind> absent)
{
    if (result)
        return finding(Support::kYes, doing, "works");
    const Error &error = result.error();
    const bool no = !is_refusal(error.sys_errno()) &&
                    (error.kind() == ErrorKind::kUnsupported ||
                     std::find(absent.begin(), absent.end(), error.kind()) != absent.end());
    return finding(no ? Support::kNo : Support::kUnknown, doing, error.what());
}

}  // namespace tortie::caps
