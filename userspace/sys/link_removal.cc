// SPDX-License-Identifier: Apache-2.0
#include "sys/link_removal.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/unique_fd.h"

namespace tortie {
namespace {

using std::chrono::microseconds;

constexpr microseconds kFirstPause{100};
constexpr microseconds kLongestPause{5000};

// Where close_range(2) is missing (before Linux 5.9).
constexpr int kUsualDescriptors = 256;

// The runtime waits until nobody holds the plugin's stdout any more.
void close_all_but(int keep)
{
    const auto kept = static_cast<unsigned>(keep);
    const auto close_range = [](unsigned first, unsigned last) {
        return first > last || ::syscall(SYS_close_range, first, last, 0) == 0;
    };
    const bool closed = (kept == 0 || close_range(0, kept - 1)) && close_range(kept + 1, ~0U);
    for (int fd = 0; !closed && fd < kUsualDescriptors; ++fd) {
        if (fd != keep)
            ::close(fd);
    }
}

// Its errno, 0 on success. By a socket of the child's own: an answer goes to one reader.
int delete_here(int index)
{
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    const auto deleted = socket ? delete_link(*socket, index) : fail(socket.error());
    if (deleted)
        return 0;
    return deleted.error().sys_errno() != 0 ? deleted.error().sys_errno() : EIO;
}

// The child's life.
[[noreturn]] void delete_and_end(int index, int answer)
{
    close_all_but(answer);
    const int err = delete_here(index);
    const ssize_t written = ::write(answer, &err, sizeof(err));
    ::_exit(written == sizeof(err) ? 0 : 1);
}

class Removal {
public:
    Removal(NetlinkSocket &socket, const Link &link, UniqueFd answer)
        : socket_(socket), link_(link), answer_(std::move(answer))
    {
    }

    Result<> wait(Deadline deadline)
    {
        const std::string doing = "delete interface " + link_.name;
        for (microseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
            const std::optional<int> err = answer_within(pause);
            if (err && *err != 0)
                return fail_errno(*err, doing);
            if (err)
                return {};
            const auto look = find_link(socket_, link_.index);
            if (!look && look.error().kind() == ErrorKind::kNotFound)
                return {};
            if (deadline.passed())
                return fail(ErrorKind::kTryAgain, doing + ": timed out");
        }
    }

private:
    std::optional<int> answer_within(microseconds pause)
    {
        const timespec limit{.tv_sec = 0, .tv_nsec = static_cast<long>(pause.count() * 1000)};
        pollfd wanted{.fd = answer_.get(), .events = POLLIN, .revents = 0};
        if (::ppoll(&wanted, 1, &limit, nullptr) <= 0)
            return std::nullopt;
        int err = 0;
        const ssize_t got = ::read(answer_.get(), &err, sizeof(err));
        return got == sizeof(err) ? err : ECHILD;  // it died
    }

    NetlinkSocket &socket_;
    const Link &link_;
    UniqueFd answer_;
};

}  // namespace

Result<> delete_link_promptly(NetlinkSocket &socket, const Link &link, Deadline deadline)
{
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) < 0)
        return delete_link(socket, link.index);
    UniqueFd answer(pipe[0]);
    UniqueFd to_parent(pipe[1]);
    const pid_t child = ::fork();
    if (child < 0)
        return delete_link(socket, link.index);
    if (child == 0)
        delete_and_end(link.index, to_parent.get());
    to_parent = UniqueFd();
    return Removal(socket, link, std::move(answer)).wait(deadline);
}

}  // namespace tortie
