// SPDX-License-Identifier: Apache-2.0
//
// The local datastore on a file system that is full or read-only.
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "conformance.h"
#include "harness/netns.h"
#include "harness/temp_dir.h"
#include "store/local.h"
#include "store/names.h"

namespace tortie::store {
namespace {

class LocalStoreOnADisk : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        // The mount is this process's own and goes with it.
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ASSERT_EQ(::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=256k"), 0);
    }
    void TearDown() override { ::umount2(dir_.path().c_str(), MNT_DETACH); }

    Result<Revision> create(const Document &document)
    {
        const Write write = {Op::kCreate, key_of(document), document, {}, 0};
        return open_local(path_)->commit({&write, 1}, Deadline::in(std::chrono::seconds(20))).at(0);
    }

    test::TempDir dir_;
    std::string path_ = dir_ / "store.db";
};

TEST_F(LocalStoreOnADisk, ThatIsFullSaysSoAndLosesNothing)
{
    Result<Revision> made = create(handle("net.0"));
    int n = 0;
    while (made && n < 1000)
        made = create(block("10.80." + std::to_string(++n) + ".0/26"));

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind(), ErrorKind::kSystem);
    EXPECT_NE(made.error().what().find("no space left"), std::string::npos) << made.error().what();
    const Query list = ListBlocks{};
    const auto found =
        open_local(path_)->read({&list, 1}, Deadline::in(std::chrono::seconds(20))).at(0);
    ASSERT_TRUE(found) << found.error().what();
    EXPECT_EQ(found->size(), static_cast<std::size_t>(n - 1));

    ASSERT_EQ(::mount("tmpfs", dir_.path().c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
    EXPECT_TRUE(create(handle("net.1")));
}

TEST_F(LocalStoreOnADisk, ThatIsReadOnlySaysSo)
{
    ASSERT_TRUE(create(handle("net.0")));
    ASSERT_EQ(::mount("tmpfs", dir_.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);

    const Result<Revision> made = create(handle("net.1"));

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind(), ErrorKind::kSystem);
    EXPECT_NE(made.error().what().find("read-only"), std::string::npos) << made.error().what();
}

TEST_F(LocalStoreOnADisk, ThatIsReadOnlyFromTheStartSaysSo)
{
    ASSERT_EQ(::mount("tmpfs", dir_.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);

    const Result<Revision> made = create(handle("net.1"));

    ASSERT_FALSE(made);
    EXPECT_NE(made.error().what().find("read-only"), std::string::npos) << made.error().what();
}

}  // namespace
}  // namespace tortie::store
