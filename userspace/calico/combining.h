// SPDX-License-Identifier: Apache-2.0
//
// Many processes of one node that want the same thing done at once, and one of them does it for
// all: who leads serves the requests of those that wait. It is for requests whose answers are a
// few lines of text; what they mean is the caller's business.
//
//   CombiningQueue queue = ...open(folder);
//   if (!queue.leads()) {                                 somebody else was here first
//       TORTIE_DO(queue.enqueue(request));
//       TORTIE_TRY(const auto answer, queue.wait(deadline));
//       if (answer)
//           return *answer;                               a leader has served us
//   }                                                     else we lead now
//   for (const auto &waiting : queue.take()) ...          do it for us and for them
//       queue.answer(waiting, text);
//
// In the folder, all root's and private:
//   leader            flock(2): held by the process that leads
//   <name>.new        a process is here and will wait: it still reads what it needs to know
//   <name>.request    it waits. It holds flock(2) on the file, in all its names, while it lives
//   <name>.taken      the same, renamed by the leader that works on it
//   <name>.answer     for that process, which removes both
//
// What holds, whoever is killed at whatever point:
//   I1  a request is served only while its process lives: the lock on its file tells. After the
//       work the leader looks again: answer() says when nobody is left to receive it, and the
//       leader takes back what it did.
//   I2  a leader that dies loses nothing: its lock goes with it, and one of those that wait leads
//       next. What it had taken is in doubt (`Waiting::in_doubt`): perhaps done, not answered.
//       The next leader looks before it does it again.
//   I3  a process that gives up withdraws its request, or, when that is taken, waits a little for
//       the leader that works on it; if it leaves even then, I1 holds.
//   I4  a leader takes at most kMostAtOnce requests, and files of at most kMostBytes. What nobody
//       waits for any more is removed by the next leader.
// Lock order: leader before the host-wide IPAM lock. Nobody holds a request's lock and waits for
// the leader's while leading.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/file_lock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie::calico {

class CombiningQueue {
public:
    static constexpr std::size_t kMostAtOnce = 64;
    static constexpr std::size_t kMostBytes = std::size_t{16} << 10;

    struct Waiting {
        std::string name;
        std::string request;
        bool in_doubt = false;
    };

    // `folder` is made when missing, and tried once for the lead, without waiting. Who does not
    // get it says that it is here.
    // Errors: kInvalidInput when the folder is not root's alone, kSystem.
    static Result<CombiningQueue> open(std::string folder);

    CombiningQueue(CombiningQueue &&) noexcept = default;
    CombiningQueue &operator=(CombiningQueue &&) = delete;
    CombiningQueue(const CombiningQueue &) = delete;
    CombiningQueue &operator=(const CombiningQueue &) = delete;
    ~CombiningQueue();  // nothing of ours stays in the folder

    bool leads() const { return lead_.has_value(); }

    // Lets the others go on. A leader that returns without it lets go when the object dies.
    void stop_leading() { lead_.reset(); }

    // Puts our request where a leader finds it. Only once, and not by who leads.
    Result<> enqueue(std::string_view request);

    // Blocks until a leader has answered (its text), or until we lead (nullopt). Our own request
    // is then no longer in the queue, but see own_in_doubt().
    // Errors: kTryAgain at the deadline; the request is withdrawn (I3).
    Result<std::optional<std::string>> wait(Deadline deadline);

    // A leader died while it worked on our own request: it may be done.
    bool own_in_doubt() const { return own_in_doubt_; }

    // The leader's: gives those who are here until `limit` to put their requests. Returns at once
    // when there are none.
    void gather(std::chrono::milliseconds limit) const;

    // The leader's: the requests to serve now, oldest first, without our own.
    std::vector<Waiting> take();

    // False when nobody is left to receive it (I1), or it could not be written.
    bool answer(const Waiting &waiting, std::string_view text);

private:
    explicit CombiningQueue(std::string folder) : folder_(std::move(folder)) {}

    Result<> announce();
    std::string path(std::string_view name, std::string_view suffix) const;
    std::optional<Waiting> take_one(const std::string &name, bool taken);
    bool somebody_holds(const std::string &path) const;
    void forget(std::string_view name) const;
    void remove_leftover(const std::string &file) const;
    Result<> withdraw(Error why);

    std::string folder_;
    std::optional<FileLock> lead_;
    std::string own_name_;
    UniqueFd own_;  // holds the lock on our request; not valid: nothing of ours is in the folder
    bool own_in_doubt_ = false;
};

}  // namespace tortie::calico
