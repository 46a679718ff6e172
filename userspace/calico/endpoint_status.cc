// SPDX-License-Identifier: Apache-2.0
#include "calico/endpoint_status.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/unique_fd.h"
#include "calico/json_codec.h"

namespace tortie::calico {
namespace {

using std::chrono::milliseconds;

// Felix writes a few hundred bytes.
constexpr std::size_t kMaxStatusBytes = std::size_t{64} << 10;

// The clock that the kernel stamps files with ticks this slowly at worst (CONFIG_HZ=100), and may
// lie behind the one that `since` was read from.
constexpr milliseconds kFileClockTick{10};

// Where the directory cannot be watched, because it is not there or there are too many watches,
// and for what a watch could miss.
constexpr milliseconds kLookAtLeastEvery{500};

// What may stand in one segment of a path (net/url, shouldEscape() of encodePathSegment).
bool stands_for_itself(char c)
{
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    return letter || digit || std::string_view("-_.~$&+=:@").find(c) != std::string_view::npos;
}

std::string path_escaped(std::string_view text)
{
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string escaped;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (stands_for_itself(c))
            escaped += c;
        else
            escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return escaped;
}

std::chrono::system_clock::time_point written_at(const struct stat &st)
{
    const auto since_epoch =
        std::chrono::seconds(st.st_mtim.tv_sec) + std::chrono::nanoseconds(st.st_mtim.tv_nsec);
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
}

// `nets` as the file has them for one family: "10.65.0.2/32".
bool speaks_of(const std::vector<std::string> &nets, const IpAddr &address)
{
    return std::any_of(nets.begin(), nets.end(), [&](const std::string &net) {
        const auto cidr = Cidr::parse(net);
        return cidr && cidr->contains(address);
    });
}

// Whether the text is about another endpoint of the same name.
bool names_another(std::string_view text, const AwaitedEndpoint &endpoint)
{
    const auto ifname = string_at(text, "ifaceName");
    if (ifname && !ifname->empty() && *ifname != endpoint.host_ifname)
        return true;
    const auto ipv4 = string_list_at(text, "ipv4Nets").value_or(std::vector<std::string>());
    const auto ipv6 = string_list_at(text, "ipv6Nets").value_or(std::vector<std::string>());
    if (ipv4.empty() && ipv6.empty())
        return false;
    return !std::all_of(
        endpoint.addresses.begin(), endpoint.addresses.end(), [&](const IpAddr &address) {
            return speaks_of(address.family() == Family::kIpv4 ? ipv4 : ipv6, address);
        });
}

bool is_ready(const std::string &path, const AwaitedEndpoint &endpoint)
{
    struct stat st {};
    if (::lstat(path.c_str(), &st) < 0 || written_at(st) + kFileClockTick < endpoint.since)
        return false;
    const auto text = read_file(path, kMaxStatusBytes);
    return !text || !names_another(*text, endpoint);
}

// The directory while it is being watched. Felix writes a file and may fill it later, so every
// change in there is a reason to look.
class DirectoryWatch {
public:
    explicit DirectoryWatch(const std::string &directory)
        : directory_(directory), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK))
    {
    }

    // Before looking, so that nothing is missed in between.
    void arm()
    {
        constexpr std::uint32_t kChanges = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR;
        if (inotify_.valid() && !armed_)
            armed_ = ::inotify_add_watch(inotify_.get(), directory_.c_str(), kChanges) >= 0;
    }

    void wait(Deadline deadline)
    {
        pollfd wanted{.fd = armed_ ? inotify_.get() : -1, .events = POLLIN, .revents = 0};
        const milliseconds limit = std::min(deadline.left(), kLookAtLeastEvery);
        if (::poll(&wanted, 1, static_cast<int>(limit.count())) > 0)
            drain();
    }

private:
    void drain()
    {
        alignas(inotify_event) std::array<char, 4096> events{};
        ssize_t got = 0;
        while ((got = ::read(inotify_.get(), events.data(), events.size())) > 0) {
            for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
                const auto *event = reinterpret_cast<const inotify_event *>(events.data() + at);
                if ((event->mask & IN_IGNORED) != 0)
                    armed_ = false;  // the directory has been removed
                at += sizeof(inotify_event) + event->len;
            }
        }
    }

    const std::string &directory_;
    UniqueFd inotify_;
    bool armed_ = false;
};

}  // namespace

std::string endpoint_status_file_name(const AwaitedEndpoint &endpoint)
{
    return path_escaped(endpoint.orchestrator) + ' ' + path_escaped(endpoint.workload) + ' ' +
           path_escaped(endpoint.endpoint);
}

Result<> wait_for_endpoint_status(const std::string &directory, const AwaitedEndpoint &endpoint,
                                  Deadline deadline)
{
    const std::string path = directory + '/' + endpoint_status_file_name(endpoint);
    DirectoryWatch watch(directory);
    while (true) {
        watch.arm();
        if (is_ready(path, endpoint))
            return {};
        if (deadline.passed())
            return fail(ErrorKind::kTryAgain, "no policy in place: timed out waiting for " + path);
        watch.wait(deadline);
    }
}

}  // namespace tortie::calico
