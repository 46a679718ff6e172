// SPDX-License-Identifier: Apache-2.0
//
// Many processes that allocate and release in one embedded datastore at once.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "harness/temp_dir.h"
#include "store/local.h"
#include "unit/ipam/cluster.h"

namespace tortie::ipam {
namespace {

constexpr int kProcesses = 4;
constexpr int kPods = 12;

Deadline patient()
{
    return Deadline::in(std::chrono::seconds(60));
}

bool add(store::Store &store, const std::string &host, const std::string &handle)
{
    Request request;
    request.handle = handle;
    request.attributes = {{"node", host}, {"pod", handle}, {"namespace", "shop"}};
    request.num4 = 1;
    Hint hint;
    auto found = store.read(view_queries(host), patient());
    auto view = view_of(found);
    if (!view)
        return false;
    const auto answers = assign(store, host, *std::move(view), {&request, 1}, hint, patient());
    return answers.front() && answers.front()->complete();
}

// One process: two hosts take turns, every third pod stays.
int live(const std::string &path, int which)
{
    const auto store = store::open_local(path);
    const std::string host = "node-" + std::to_string(which % 2);
    for (int i = 0; i < kPods; ++i) {
        const std::string handle = "h" + std::to_string(which) + "." + std::to_string(i);
        if (!add(*store, host, handle))
            return 1;
        if (i % 3 != 0 && !release_by_handle(*store, host, {handle, "", false}, patient()))
            return 2;
    }
    return 0;
}

TEST(LocalStore, KeepsTheBooksOfManyProcesses)
{
    const test::TempDir dir;
    const std::string path = dir.path() + "/store.db";
    {
        const auto store = store::open_local(path);
        store::Pool pool;
        pool.name = "p";
        pool.cidr = "10.0.0.0/24";
        pool.block_size = 28;
        const store::Write write{store::Op::kCreate, store::PoolKey{"p"}, pool, {}, 0};
        ASSERT_TRUE(store->commit({&write, 1}, patient()).front());
    }

    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0)
            ::_exit(live(path, i));
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }

    const auto store = store::open_local(path);
    auto found = store->read(check_queries(), patient());
    const auto documents = documents_of(found);
    ASSERT_TRUE(documents) << documents.error().what();
    EXPECT_THAT(words(check(*documents)), ::testing::IsEmpty());
    EXPECT_EQ(documents->handles.size(), static_cast<std::size_t>(kProcesses * kPods / 3));
}

}  // namespace
}  // namespace tortie::ipam
