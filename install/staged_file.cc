// SPDX-License-Identifier: Apache-2.0
#include "install/staged_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/file.h"

namespace tortie::installer {
namespace {

constexpr std::string_view kEnding = ".tortie-new";
constexpr const char *kLabel = "security.selinux";

bool has_content(int fd, std::string_view content)
{
    std::array<char, 65536> chunk{};
    off_t at = 0;
    for (;;) {
        const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 && static_cast<std::size_t>(at) == content.size();
        const auto size = static_cast<std::size_t>(got);
        if (content.size() - static_cast<std::size_t>(at) < size ||
            std::memcmp(content.data() + at, chunk.data(), size) != 0)
            return false;
        at += got;
    }
}

// A node with SELinux may have given the old file a label that the directory's default is not.
void keep_label(const Folder &folder, const std::string &from, int to)
{
    const UniqueFd old(
        ::openat(folder.fd(), from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    std::array<char, 256> label{};
    const ssize_t size =
        old.valid() ? ::fgetxattr(old.get(), kLabel, label.data(), label.size()) : -1;
    if (size > 0)
        ::fsetxattr(to, kLabel, label.data(), static_cast<std::size_t>(size), 0);
}

}  // namespace

std::string staging_name(std::string_view name)
{
    return '.' + std::string(name) + std::string(kEnding);
}

bool is_staging_name(std::string_view name)
{
    return name.starts_with('.') && name.ends_with(kEnding);
}

Result<> require_replaceable(const Folder &folder, const std::string &name)
{
    struct stat st {};
    if (::fstatat(folder.fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return {};
        return fail(with_cure(errno, "stat " + folder.path_of(name)));
    }
    if (S_ISREG(st.st_mode))
        return {};
    const char *what = S_ISLNK(st.st_mode) ? " is a symbolic link" : " is not a regular file";
    return fail(ErrorKind::kInvalidInput,
                folder.path_of(name) + what + ": remove it on the host, then install again");
}

bool is_like(const Folder &folder, const std::string &name, std::string_view content, mode_t mode)
{
    const UniqueFd fd(
        ::openat(folder.fd(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat st {};
    return fd.valid() && ::fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) &&
           static_cast<std::size_t>(st.st_size) == content.size() && (st.st_mode & 07777) == mode &&
           st.st_uid == 0 && has_content(fd.get(), content);
}

Result<StagedFile> StagedFile::write(const Folder &folder, const std::string &name,
                                     std::string_view content, mode_t mode)
{
    TORTIE_DO(require_replaceable(folder, name));
    TORTIE_DO(folder.remove(staging_name(name)));
    StagedFile file(folder, name);
    TORTIE_DO(file.fill(content, mode));
    return file;
}

Result<> StagedFile::fill(std::string_view content, mode_t mode) const
{
    const std::string path = folder_->path_of(staging_);
    const UniqueFd fd(::openat(folder_->fd(), staging_.c_str(),
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid())
        return fail(with_cure(errno, "open " + path));
    if (auto written = write_all(fd.get(), content, path); !written)
        return fail(with_cure(written.error().sys_errno(), "write " + path));
    if (::fchown(fd.get(), 0, 0) < 0)
        return fail(with_cure(errno, "set owner of " + path));
    if (::fchmod(fd.get(), mode) < 0)
        return fail(with_cure(errno, "set mode of " + path));
    keep_label(*folder_, name_, fd.get());
    if (::fsync(fd.get()) < 0)
        return fail(with_cure(errno, "sync " + path));
    if (!has_content(fd.get(), content))
        return fail(ErrorKind::kTryAgain, path + " does not hold what was written to it");
    return {};
}

Result<StagedFile> StagedFile::link(const StagedFile &first, const std::string &name,
                                    std::string_view content, mode_t mode)
{
    const Folder &folder = *first.folder_;
    TORTIE_DO(require_replaceable(folder, name));
    TORTIE_DO(folder.remove(staging_name(name)));
    StagedFile file(folder, name);
    if (::linkat(folder.fd(), first.staging_.c_str(), folder.fd(), file.staging_.c_str(), 0) == 0)
        return file;
    TORTIE_DO(file.fill(content, mode));
    return file;
}

StagedFile::StagedFile(StagedFile &&other) noexcept
    : folder_(std::exchange(other.folder_, nullptr)),
      name_(std::move(other.name_)),
      staging_(std::move(other.staging_)),
      state_(other.state_)
{
}

StagedFile::~StagedFile()
{
    // Holds the new version that was not put in place, or the old one that it was swapped with.
    if (folder_)
        ::unlinkat(folder_->fd(), staging_.c_str(), 0);
}

Result<> StagedFile::put_in_place()
{
    const int fd = folder_->fd();
    const auto rename_with = [&](unsigned flags) {
        return ::renameat2(fd, staging_.c_str(), fd, name_.c_str(), flags) == 0;
    };
    if (rename_with(RENAME_EXCHANGE)) {
        state_ = State::kSwapped;
        return {};
    }
    if (errno == ENOENT && rename_with(RENAME_NOREPLACE)) {
        state_ = State::kCreated;
        return {};
    }
    // What cannot swap can replace: only the way back is missing then.
    if ((errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) && rename_with(0)) {
        state_ = State::kReplaced;
        return {};
    }
    return fail(with_cure(errno, "rename " + folder_->path_of(staging_)));
}

void StagedFile::take_back()
{
    const int fd = folder_->fd();
    if (state_ == State::kSwapped &&
        ::renameat2(fd, staging_.c_str(), fd, name_.c_str(), RENAME_EXCHANGE) == 0)
        state_ = State::kStaged;
    if (state_ == State::kCreated &&
        ::renameat2(fd, name_.c_str(), fd, staging_.c_str(), RENAME_NOREPLACE) == 0)
        state_ = State::kStaged;
}

Result<> replace_file_in(const Folder &folder, const std::string &name, std::string_view content,
                         mode_t mode)
{
    if (is_like(folder, name, content, mode))
        return {};
    TORTIE_TRY(StagedFile file, StagedFile::write(folder, name, content, mode));
    TORTIE_DO(file.put_in_place());
    return folder.sync();
}

}  // namespace tortie::installer
