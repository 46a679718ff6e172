// SPDX-License-Identifier: Apache-2.0
#include "calico/combining.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A process that stops after `body`, holding what it holds, until it is killed.
class Process {
public:
    // `then` runs after the constructor has returned; await() waits for its end.
    explicit Process(const std::function<void()> &body, const std::function<void()> &then = {})
    {
        EXPECT_EQ(::pipe(told_.data()), 0);
        pid_ = ::fork();
        if (pid_ == 0)
            live(body, then);
        ::close(told_[1]);
        await();
    }
    ~Process()
    {
        kill();
        ::close(told_[0]);
    }
    Process(const Process &) = delete;
    Process &operator=(const Process &) = delete;
    Process(Process &&) = delete;
    Process &operator=(Process &&) = delete;

    void await() const
    {
        char c = 0;
        EXPECT_EQ(::read(told_[0], &c, 1), 1);
    }

    void kill()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        pid_ = -1;
    }

private:
    void live(const std::function<void()> &body, const std::function<void()> &then)
    {
        constexpr int kPipe = 3;
        ::dup2(told_[1], kPipe);
        ::close_range(kPipe + 1, ~0U, 0);  // locks of the parent are not ours
        body();
        (void)!::write(kPipe, "x", 1);
        if (then)
            then();
        (void)!::write(kPipe, "x", 1);
        for (;;)
            ::pause();
    }

    std::array<int, 2> told_{};
    pid_t pid_ = -1;
};

class CombiningTest : public ::testing::Test {
protected:
    CombiningQueue open() { return CombiningQueue::open(folder_).value(); }

    // A process that waits with `request` and leaves its answer in a file of its own.
    pid_t start_waiter(const std::string &request, Deadline deadline)
    {
        const pid_t pid = ::fork();
        if (pid != 0)
            return pid;
        ::close_range(3, ~0U, 0);  // the leader's lock is not ours
        CombiningQueue queue = open();
        std::string got = "leads";
        if (!queue.leads()) {
            (void)queue.enqueue(request);
            auto answer = queue.wait(deadline);
            if (!answer)
                got = "error";
            else if (*answer)
                got = **answer;
            else if (queue.own_in_doubt())
                got = "leads in doubt";
        }
        std::ofstream(temp_ / request) << got;
        ::_exit(0);
    }

    std::string result_of(pid_t pid, const std::string &request)
    {
        ::waitpid(pid, nullptr, 0);
        std::ifstream file(temp_ / request);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    // What the leader finds once `count` processes wait.
    std::vector<CombiningQueue::Waiting> take_all(CombiningQueue &queue, std::size_t count)
    {
        const Deadline deadline = Deadline::in(10s);
        auto waiting = queue.take();
        while (waiting.size() < count && !deadline.passed()) {
            std::this_thread::yield();
            for (auto &more : queue.take())
                if (!more.in_doubt)
                    waiting.push_back(std::move(more));
        }
        return waiting;
    }

    std::size_t files() const
    {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto &file : std::filesystem::directory_iterator(folder_))
            ++count;
        return count;
    }

    test::TempDir temp_;
    std::string folder_ = temp_ / "queue";
};

TEST_F(CombiningTest, TheFirstLeadsAndTheNextDoesNot)
{
    CombiningQueue first = open();
    EXPECT_TRUE(first.leads());
    EXPECT_FALSE(open().leads());
    first.stop_leading();
    EXPECT_TRUE(open().leads());
}

TEST_F(CombiningTest, EveryWaitingProcessGetsItsOwnAnswer)
{
    CombiningQueue leader = open();
    std::vector<pid_t> waiters;
    for (int i = 0; i < 30; ++i)
        waiters.push_back(start_waiter("r" + std::to_string(i), Deadline::in(20s)));

    for (const auto &waiting : take_all(leader, 30))
        EXPECT_TRUE(leader.answer(waiting, "for " + waiting.request));
    leader.stop_leading();

    for (int i = 0; i < 30; ++i) {
        const std::string request = "r" + std::to_string(i);
        EXPECT_EQ(result_of(waiters[static_cast<std::size_t>(i)], request), "for " + request);
    }
    EXPECT_EQ(files(), 1U);  // the leader's lock
}

TEST_F(CombiningTest, ARequestWhoseProcessDiedIsNotServed)
{
    CombiningQueue leader = open();
    {
        const Process dead([&] { (void)new CombiningQueue(open()); });
        const Process waiting([&] {
            auto *queue = new CombiningQueue(open());
            (void)queue->enqueue("r");
        });
    }
    EXPECT_THAT(leader.take(), IsEmpty());
    EXPECT_EQ(files(), 1U);
}

TEST_F(CombiningTest, AnAnswerThatNobodyCanReceiveIsReported)
{
    CombiningQueue leader = open();
    Process process([&] {
        auto *queue = new CombiningQueue(open());
        (void)queue->enqueue("r");
    });
    const auto waiting = leader.take();
    ASSERT_THAT(waiting, SizeIs(1));

    process.kill();

    EXPECT_FALSE(leader.answer(waiting[0], "too late"));
    EXPECT_EQ(files(), 1U);
}

TEST_F(CombiningTest, AProcessLearnsThatADeadLeaderHadTakenItsOwnRequest)
{
    CombiningQueue *queue = nullptr;
    Process leader([&] { queue = new CombiningQueue(open()); },
                   [&] {
                       while (queue->take().empty())
                           std::this_thread::yield();
                   });
    const pid_t waiter = start_waiter("a", Deadline::in(20s));
    leader.await();
    leader.kill();

    EXPECT_EQ(result_of(waiter, "a"), "leads in doubt");
    EXPECT_EQ(files(), 1U);
}

TEST_F(CombiningTest, ATakenRequestIsInDoubtUntilItIsAnswered)
{
    Process leader([&] { (void)new CombiningQueue(open()); });
    const Process waiter([&] {
        auto *queue = new CombiningQueue(open());
        (void)queue->enqueue("r");
    });
    leader.kill();
    {
        CombiningQueue second = open();
        const auto waiting = second.take();
        ASSERT_THAT(waiting, SizeIs(1));
        EXPECT_FALSE(waiting[0].in_doubt);
    }
    CombiningQueue third = open();
    const auto waiting = third.take();
    ASSERT_THAT(waiting, SizeIs(1));
    EXPECT_TRUE(waiting[0].in_doubt);
    EXPECT_TRUE(third.answer(waiting[0], "done"));
    EXPECT_THAT(third.take(), IsEmpty());  // answered, not yet read
}

TEST_F(CombiningTest, AProcessWhoseTimeIsOverWithdrawsItsRequest)
{
    CombiningQueue leader = open();
    const pid_t waiter = start_waiter("r", Deadline::in(50ms));

    EXPECT_EQ(result_of(waiter, "r"), "error");
    EXPECT_THAT(leader.take(), IsEmpty());
    EXPECT_EQ(files(), 1U);
}

TEST_F(CombiningTest, ATakenRequestIsWaitedForBeyondTheDeadline)
{
    CombiningQueue leader = open();
    const pid_t waiter = start_waiter("r", Deadline::in(100ms));
    const auto waiting = take_all(leader, 1);
    ASSERT_THAT(waiting, SizeIs(1));

    std::thread late([&] {
        std::this_thread::sleep_for(300ms);
        leader.answer(waiting[0], "late");
        leader.stop_leading();
    });
    EXPECT_EQ(result_of(waiter, "r"), "late");
    late.join();
}

TEST_F(CombiningTest, TakesABoundedNumberOfBoundedFiles)
{
    CombiningQueue leader = open();
    CombiningQueue waiter = open();
    EXPECT_FALSE(waiter.enqueue(std::string(CombiningQueue::kMostBytes + 1, 'x')).has_value());
    EXPECT_THAT(leader.take(), IsEmpty());
    EXPECT_TRUE(waiter.enqueue(std::string(CombiningQueue::kMostBytes, 'x')).has_value());
    EXPECT_THAT(leader.take(), SizeIs(1));
}

TEST_F(CombiningTest, WaitsForThoseWhoAreHereAndForNobodyElse)
{
    CombiningQueue leader = open();
    const auto alone = std::chrono::steady_clock::now();
    leader.gather(10s);
    EXPECT_LT(std::chrono::steady_clock::now() - alone, 5s);

    {
        const Process dead([&] { (void)new CombiningQueue(open()); });
    }
    leader.gather(10s);
    EXPECT_LT(std::chrono::steady_clock::now() - alone, 5s);

    const pid_t waiter = start_waiter("r", Deadline::in(20s));
    std::vector<CombiningQueue::Waiting> waiting;
    while (waiting.empty() && std::chrono::steady_clock::now() - alone < 15s) {
        leader.gather(10s);
        waiting = leader.take();
    }
    ASSERT_THAT(waiting, SizeIs(1));
    EXPECT_TRUE(leader.answer(waiting[0], "done"));
    leader.stop_leading();
    EXPECT_EQ(result_of(waiter, "r"), "done");
}

TEST_F(CombiningTest, WhoGoesAnotherWayLeavesNothing)
{
    CombiningQueue leader = open();
    {
        CombiningQueue here = open();
        EXPECT_EQ(files(), 2U);
        CombiningQueue moved = std::move(here);
        EXPECT_EQ(files(), 2U);
    }
    EXPECT_EQ(files(), 1U);
}

TEST_F(CombiningTest, RefusesAFolderThatOthersMayWriteTo)
{
    std::filesystem::create_directory(folder_);
    ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
    EXPECT_FALSE(CombiningQueue::open(folder_).has_value());
    std::filesystem::remove(folder_);
    std::filesystem::create_symlink(temp_.path(), folder_);
    EXPECT_FALSE(CombiningQueue::open(folder_).has_value());
}

}  // namespace
}  // namespace tortie::calico
