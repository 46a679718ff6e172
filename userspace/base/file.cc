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
            return fail_errno(errno, "read " + std::string(name));
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

Result<> replace_file(const std::string &path, std::string_view content, mode_t mode)
{
    const std::string tmp = path + ".tmp";
    const UniqueFd fd(
        ::open(tmp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid())
        return fail_errno(errno, "open " + tmp);
    ScopeExit undo([&] { ::unlink(tmp.c_str()); });
    if (::fchmod(fd.get(), mode) < 0)
        return fail_errno(errno, "set mode of " + tmp);
    TORTIE_DO(write_all(fd.get(), content, tmp));
    if (::rename(tmp.c_str(), path.c_str()) < 0)
        return fail_errno(errno, "rename " + tmp);
    undo.dismiss();
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
        return fail_errno(errno, "mkdir " + path);
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
