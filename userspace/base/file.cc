// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>

#include "base/scope_exit.h"

namespace tortie {

Result<std::string> read_to_end(int fd, std::size_t max_bytes, std::string_view name)
{
    std::string text;
    std::array<char, 16384> chunk{};
    for (;;) {
        const ssize_t got = ::read(fd, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(go_error(errno, "read " + std::string(name)));
        if (got == 0)
            return text;
        if (text.size() + static_cast<std::size_t>(got) > max_bytes)
            return fail(ErrorKind::kInvalidInput, std::string(name) + " is longer than " +
                                                      std::to_string(max_bytes) + " bytes");
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

Result<std::string> read_file(const std::string &path, std::size_t max_bytes)
{
    // O_NONBLOCK: a FIFO put in the way must not hang us.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd.valid())
        return fail_errno(errno, "open " + path);
    struct stat st {};
    if (::fstat(fd.get(), &st) < 0)
        return fail_errno(errno, "stat " + path);
    if (!S_ISREG(st.st_mode))
        return fail(ErrorKind::kInvalidInput, path + " is not a regular file");
    return read_to_end(fd.get(), max_bytes, path);
}

Result<> write_all(int fd, std::string_view text, std::string_view name)
{
    while (!text.empty()) {
        const ssize_t put = ::write(fd, text.data(), text.size());
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_errno(errno, "write " + std::string(name));
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

namespace {

// The descriptor of a new file with that content. On failure nothing stays.
Result<UniqueFd> write_new_file(const std::string &path, std::string_view content, mode_t mode)
{
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid())
        return fail_errno(errno, "open " + path);
    ScopeExit undo([&] { ::unlink(path.c_str()); });
    if (::fchmod(fd.get(), mode) < 0)
        return fail_errno(errno, "set mode of " + path);
    TORTIE_DO(write_all(fd.get(), content, path));
    undo.dismiss();
    return fd;
}

Result<> rename_over(const std::string &from, const std::string &to)
{
    if (::rename(from.c_str(), to.c_str()) == 0)
        return {};
    const int err = errno;
    ::unlink(from.c_str());
    return fail_errno(err, "rename " + from);
}

}  // namespace

Result<> replace_file(const std::string &path, std::string_view content, mode_t mode)
{
    const std::string tmp = path + ".tmp";
    TORTIE_TRY([[maybe_unused]] const UniqueFd fd, write_new_file(tmp, content, mode));
    return rename_over(tmp, path);
}

Result<> replace_file_durably(const std::string &path, std::string_view content, mode_t mode)
{
    const std::string tmp = path + ".new-" + std::to_string(::getpid());
    TORTIE_TRY(const UniqueFd fd, write_new_file(tmp, content, mode));
    if (::fsync(fd.get()) < 0) {
        const int err = errno;
        ::unlink(tmp.c_str());
        return fail_errno(err, "sync " + tmp);
    }
    TORTIE_DO(rename_over(tmp, path));
    return sync_directory_of(path);
}

Result<> sync_directory_of(const std::string &path)
{
    const std::size_t slash = path.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid())
        return fail_errno(errno, "open " + folder);
    if (::fsync(fd.get()) < 0)
        return fail_errno(errno, "sync " + folder);
    return {};
}

Result<> remove_file(const std::string &path)
{
    if (::unlink((path + ".tmp").c_str()) < 0 && errno != ENOENT)
        return fail_errno(errno, "remove " + path + ".tmp");
    if (::unlink(path.c_str()) < 0 && errno != ENOENT)
        return fail_errno(errno, "remove " + path);
    return {};
}

Result<> make_directories(const std::string &path, mode_t mode)
{
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode))
        return {};
    const std::size_t slash = path.find_last_of('/');
    if (slash != std::string::npos && slash > 0)
        TORTIE_DO(make_directories(path.substr(0, slash), mode));
    if (::mkdir(path.c_str(), mode) < 0) {
        if (errno == EEXIST)
            return {};
        return fail(go_error(errno, "mkdir " + path));
    }
    if (::chmod(path.c_str(), mode) < 0)
        return fail_errno(errno, "set mode of " + path);
    return {};
}

std::string go_errno_text(int err)
{
    const char *text = ::strerrordesc_np(err);
    std::string lower = text ? text : "errno " + std::to_string(err);
    // Go's table is in lower case but for names of protocols.
    if (lower.size() > 1 && std::islower(static_cast<unsigned char>(lower[1])))
        lower[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(lower[0])));
    return lower;
}

Error go_error(int err, std::string_view doing)
{
    return Error::from_errno(err, doing, go_errno_text(err));
}

}  // namespace tortie
