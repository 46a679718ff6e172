// SPDX-License-Identifier: Apache-2.0
#include "calico/combining.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <ctime>
#include <memory>

#include "base/file.h"
#include "base/log.h"
#include "base/scope_exit.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kRequest = ".request";
constexpr std::string_view kTaken = ".taken";
constexpr std::string_view kAnswer = ".answer";
constexpr std::string_view kNew = ".new";
constexpr std::string_view kHalfAnswer = ".answer.tmp";  // replace_file()'s

// A leader that has taken our request when our time is over: its work is a few round trips.
constexpr auto kGrace = 3s;

// Between two looks at who has come: a fraction of the round trip they are at.
constexpr int kLookMs = 2;

// Of root's and private: requests make addresses, answers are believed.
Result<> require_private(const std::string &folder)
{
    struct stat st {};
    if (::lstat(folder.c_str(), &st) < 0)
        return fail_errno(errno, "stat " + folder);
    if (!S_ISDIR(st.st_mode) || st.st_uid != ::geteuid() || (st.st_mode & 0022) != 0)
        return fail(ErrorKind::kInvalidInput, folder + " is not ours alone");
    return {};
}

// Sorts by age; the process makes it unique.
std::string fresh_name()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::string ns = std::to_string(now.tv_nsec);
    ns.insert(0, 9 - ns.size(), '0');
    return std::to_string(now.tv_sec) + ns + '-' + std::to_string(::getpid());
}

std::vector<std::string> files_in(const std::string &folder)
{
    const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(folder.c_str()), &::closedir);
    std::vector<std::string> names;
    if (!dir)
        return names;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe on a stream of one's own
    while (const dirent *entry = ::readdir(dir.get()))
        names.emplace_back(entry->d_name);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

std::string CombiningQueue::path(std::string_view name, std::string_view suffix) const
{
    return folder_ + '/' + std::string(name) + std::string(suffix);
}

Result<CombiningQueue> CombiningQueue::open(std::string folder)
{
    TORTIE_DO(make_directories(folder, 0700));
    TORTIE_DO(require_private(folder));
    CombiningQueue queue(std::move(folder));
    TORTIE_TRY(queue.lead_, FileLock::try_acquire(queue.path("leader", ""), 0600));
    if (!queue.leads())
        TORTIE_DO(queue.announce());
    return queue;
}

CombiningQueue::~CombiningQueue()
{
    if (!own_.valid())
        return;
    for (const std::string_view suffix : {kNew, kRequest})
        ::unlink(path(own_name_, suffix).c_str());
}

Result<> CombiningQueue::announce()
{
    const std::string name = fresh_name();
    const std::string file = path(name, kNew);
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid())
        return fail_errno(errno, "create " + file);
    // Before it can be taken for a request (I1).
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
        const int err = errno;
        ::unlink(file.c_str());
        return fail_errno(err, "lock " + file);
    }
    own_ = std::move(fd);
    own_name_ = name;
    return {};
}

Result<> CombiningQueue::enqueue(std::string_view request)
{
    assert(!leads() && own_.valid());
    const std::string file = path(own_name_, kNew);
    if (request.size() > kMostBytes)
        return fail(ErrorKind::kInvalidInput,
                    "the request is longer than a waiting request may be");
    TORTIE_DO(write_all(own_.get(), request, file));
    if (::rename(file.c_str(), path(own_name_, kRequest).c_str()) < 0)
        return fail_errno(errno, "rename " + file);
    return {};
}

Result<std::optional<std::string>> CombiningQueue::wait(Deadline deadline)
{
    assert(!leads() && own_.valid());
    const std::string leader = path("leader", "");
    auto lead = FileLock::acquire(leader, 0600, deadline.left());
    if (!lead) {
        TORTIE_DO(withdraw(std::move(lead).error()));
        lead = FileLock::acquire(leader, 0600, kGrace);
        if (!lead)
            return fail(std::move(lead).error());
    }
    lead_ = *std::move(lead);
    auto text = read_file(path(own_name_, kAnswer), kMostBytes);
    own_in_doubt_ = !text && ::access(path(own_name_, kTaken).c_str(), F_OK) == 0;
    forget(own_name_);
    own_ = UniqueFd();
    if (!text)
        return std::optional<std::string>();
    stop_leading();
    return std::optional(*std::move(text));
}

// I3. Success: somebody has taken it and will answer.
Result<> CombiningQueue::withdraw(Error why)
{
    if (::unlink(path(own_name_, kRequest).c_str()) < 0)
        return {};
    own_ = UniqueFd();
    return fail(std::move(why));
}

// A lock that can be had is nobody's: the process has died, or has gone on.
bool CombiningQueue::somebody_holds(const std::string &path) const
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    return fd.valid() && ::flock(fd.get(), LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

void CombiningQueue::forget(std::string_view name) const
{
    for (const std::string_view suffix : {kAnswer, kRequest, kTaken})
        ::unlink(path(name, suffix).c_str());
}

// A process that has made its file and not locked it yet loses it: it then goes its own way.
void CombiningQueue::remove_leftover(const std::string &file) const
{
    const std::string at = path(file, "");
    if (file.ends_with(kHalfAnswer) || !somebody_holds(at))
        ::unlink(at.c_str());
}

void CombiningQueue::gather(std::chrono::milliseconds limit) const
{
    assert(leads());
    const Deadline deadline = Deadline::in(limit);
    const auto somebody_comes = [this] {
        const auto files = files_in(folder_);
        return std::any_of(files.begin(), files.end(), [this](const std::string &file) {
            return file.ends_with(kNew) && somebody_holds(path(file, ""));
        });
    };
    while (somebody_comes() && !deadline.passed())
        ::poll(nullptr, 0, kLookMs);
}

std::optional<CombiningQueue::Waiting> CombiningQueue::take_one(const std::string &name, bool taken)
{
    const std::string_view suffix = taken ? kTaken : kRequest;
    if (!somebody_holds(path(name, suffix))) {
        forget(name);
        return std::nullopt;
    }
    if (taken && ::access(path(name, kAnswer).c_str(), F_OK) == 0)
        return std::nullopt;  // its process has not come round to reading it
    auto request = read_file(path(name, suffix), kMostBytes);
    if (!request) {
        log::warn("a waiting request cannot be read", {{"error", request.error().what()}});
        return std::nullopt;
    }
    // It fails when the process has just withdrawn it.
    if (!taken && ::rename(path(name, kRequest).c_str(), path(name, kTaken).c_str()) < 0)
        return std::nullopt;
    return Waiting{.name = name, .request = *std::move(request), .in_doubt = taken};
}

std::vector<CombiningQueue::Waiting> CombiningQueue::take()
{
    assert(leads());
    std::vector<Waiting> waiting;
    for (const std::string &file : files_in(folder_)) {
        const bool taken = file.ends_with(kTaken);
        if (file.ends_with(kNew) || file.ends_with(kHalfAnswer))
            remove_leftover(file);
        if ((!taken && !file.ends_with(kRequest)) || waiting.size() == kMostAtOnce)
            continue;
        const std::string name = file.substr(0, file.size() - (taken ? kTaken : kRequest).size());
        if (auto one = take_one(name, taken))
            waiting.push_back(*std::move(one));
    }
    return waiting;
}

bool CombiningQueue::answer(const Waiting &waiting, std::string_view text)
{
    assert(leads());
    if (!somebody_holds(path(waiting.name, kTaken))) {
        forget(waiting.name);
        return false;
    }
    const auto written = replace_file(path(waiting.name, kAnswer), text, 0600);
    if (!written)
        log::warn("an answer cannot be written", {{"error", written.error().what()}});
    return written.has_value();
}

}  // namespace tortie::calico
