// SPDX-License-Identifier: Apache-2.0
#include "harness/bpffs.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include <gtest/gtest.h>

namespace tortie::test {
namespace {

Result<> leave_the_machines_mounts()
{
    if (::geteuid() != 0)
        return fail(ErrorKind::kUnsupported, "no root");
    if (::unshare(CLONE_NEWNS) != 0)
        return fail_errno(errno, "unshare the mounts");
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return fail_errno(errno, "make the mounts private");
    return {};
}

}  // namespace

Result<> PrivateBpffs::possible()
{
    static const Result<> left = leave_the_machines_mounts();
    return left;
}

PrivateBpffs::PrivateBpffs(std::string where) : where_(std::move(where))
{
    EXPECT_TRUE(possible());
    EXPECT_EQ(::mount("bpf", where_.c_str(), "bpf", 0, "mode=0700"), 0) << where_ << ' ' << errno;
}

PrivateBpffs::~PrivateBpffs()
{
    EXPECT_EQ(::umount2(where_.c_str(), MNT_DETACH), 0) << where_ << ' ' << errno;
}

}  // namespace tortie::test
