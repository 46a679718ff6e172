// SPDX-License-Identifier: Apache-2.0
#include "store/local.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "conformance.h"
#include "harness/temp_dir.h"
#include "store/names.h"

namespace tortie::store {
namespace {

// What a person would do with the program sqlite3.
std::string by_hand(const std::string &path, const std::string &sql)
{
    sqlite3 *db = nullptr;
    std::string answer;
    sqlite3_open(path.c_str(), &db);
    const auto collect = [](void *to, int columns, char **values, char **) {
        for (int i = 0; i < columns; ++i)
            *static_cast<std::string *>(to) += values[i] != nullptr ? values[i] : "null";
        return 0;
    };
    char *error = nullptr;
    if (sqlite3_exec(db, sql.c_str(), collect, &answer, &error) != SQLITE_OK)
        answer = error;
    sqlite3_free(error);
    sqlite3_close(db);
    return answer;
}

class LocalPlace : public Place {
public:
    std::unique_ptr<Store> open() override { return open_local(path_); }
    bool spoil(const Key &key) override
    {
        by_hand(path_, "INSERT INTO documents VALUES('', '" + etcd_key(key).value() +
                           "', '{\"cidr\":1}', 1)");
        return true;
    }

private:
    test::TempDir dir_;
    std::string path_ = dir_ / "new/store.db";
};

std::unique_ptr<Place> local_place(std::string &)
{
    return std::make_unique<LocalPlace>();
}

INSTANTIATE_TEST_SUITE_P(Local, Conformance, testing::Values(PlaceMaker{"local", &local_place}));

Deadline within_ms(int ms)
{
    return Deadline::in(std::chrono::milliseconds(ms));
}

class LocalStore : public testing::Test {
protected:
    std::unique_ptr<Store> open() { return open_local(path_); }

    Result<Revision> create(const Document &document, Deadline deadline = within_ms(20000))
    {
        const Write write = {Op::kCreate, key_of(document), document, {}, 0};
        return open()->commit({&write, 1}, deadline).at(0);
    }
    Result<Held<ClusterInformation>> read(Deadline deadline = within_ms(20000))
    {
        return get<ClusterInformation>(*open(), ClusterInformationKey{}, deadline);
    }
    std::string refusal() { return "local datastore " + path_ + ": "; }

    test::TempDir dir_;
    std::string path_ = dir_ / "store.db";
};

TEST_F(LocalStore, IsForItsOwnerOnly)
{
    path_ = dir_ / "a/b/store.db";
    const mode_t before = ::umask(0);
    const auto information = read();
    ::umask(before);

    ASSERT_TRUE(information) << information.error().what();
    struct stat file {};
    struct stat log {};
    struct stat folder {};
    ASSERT_EQ(::stat(path_.c_str(), &file), 0);
    ASSERT_EQ(::stat((path_ + "-wal").c_str(), &log), 0);
    ASSERT_EQ(::stat((dir_ / "a/b").c_str(), &folder), 0);
    EXPECT_EQ(file.st_mode & 07777U, 0600U);
    EXPECT_EQ(log.st_mode & 07777U, 0600U);
    EXPECT_EQ(folder.st_mode & 07777U, 0700U);
}

TEST_F(LocalStore, ShowsCalicosJsonUnderEtcdsKeys)
{
    ASSERT_TRUE(create(handle("net.c1")));

    EXPECT_EQ(by_hand(path_, "SELECT kind, name, value FROM documents WHERE kind = 'IPAMHandle'"),
              R"(IPAMHandle/calico/ipam/v2/handle/net.c1{"block":{},"deleted":false})");
    EXPECT_EQ(by_hand(path_, "SELECT name FROM documents WHERE kind = 'ClusterInformation'"),
              "/calico/resources/v3/projectcalico.org/clusterinformations/default");
}

TEST_F(LocalStore, HasANodeOfWhichNobodyHasSaidAnything)
{
    const auto node = get<Node>(*open_local(path_), NodeKey{"node-a"}, within_ms(1000));

    ASSERT_TRUE(node) << node.error().what();
    EXPECT_EQ(node->document.name, "node-a");
    EXPECT_TRUE(node->document.labels.empty());
    EXPECT_TRUE(node->revision.version.empty());
}

TEST_F(LocalStore, WaitsForALockUntilTheDeadlineOnly)
{
    ASSERT_TRUE(read());
    sqlite3 *other = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);

    const Result<Revision> blocked = create(handle("net.c1"), within_ms(50));
    const auto reading = read(within_ms(1000));
    sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr);
    sqlite3_close(other);

    ASSERT_FALSE(blocked);
    EXPECT_EQ(blocked.error().kind(), ErrorKind::kTryAgain);
    EXPECT_EQ(blocked.error().what(), refusal() + "BEGIN IMMEDIATE: somebody else holds it");
    EXPECT_TRUE(reading);
    EXPECT_TRUE(create(handle("net.c1")));
}

TEST_F(LocalStore, SaysThatItsFileIsDamaged)
{
    ASSERT_TRUE(replace_file(path_, std::string(8192, 'x'), 0600));

    const auto information = read();

    ASSERT_FALSE(information);
    EXPECT_EQ(information.error().kind(), ErrorKind::kSystem);
    EXPECT_NE(information.error().what().find("the file is damaged or not a datastore of tortie"),
              std::string::npos)
        << information.error().what();
}

TEST_F(LocalStore, LeavesADatabaseOfOthersAlone)
{
    by_hand(path_, "CREATE TABLE songs(title)");

    const auto information = read();

    ASSERT_FALSE(information);
    EXPECT_EQ(information.error().what(), refusal() + "is not a datastore of tortie");
    EXPECT_EQ(by_hand(path_, "SELECT name FROM sqlite_schema"), "songs");
}

TEST_F(LocalStore, RefusesTheSchemaOfAnotherRelease)
{
    ASSERT_TRUE(read());
    by_hand(path_, "PRAGMA user_version = 9");

    const auto information = read();

    ASSERT_FALSE(information);
    EXPECT_EQ(information.error().what(),
              refusal() + "has schema 9, made by another release of tortie");
}

TEST_F(LocalStore, DoesNotFollowALinkWhenItMakesTheFile)
{
    ASSERT_EQ(::symlink((dir_ / "elsewhere").c_str(), path_.c_str()), 0);

    const auto information = read();

    ASSERT_FALSE(information);
    EXPECT_NE(::access((dir_ / "elsewhere").c_str(), F_OK), 0);
}

TEST_F(LocalStore, StartsAgainFromAnEmptyFile)
{
    ASSERT_TRUE(replace_file(path_, "", 0600));

    EXPECT_TRUE(read());
}

TEST_F(LocalStore, IsMadeOnceByManyProcessesAtOnce)
{
    constexpr int kProcesses = 8;
    for (int i = 0; i < kProcesses; ++i) {
        if (::fork() == 0)
            ::_exit(create(handle("net.c" + std::to_string(i))) ? 0 : 1);
    }
    for (int i = 0; i < kProcesses; ++i) {
        int status = -1;
        ASSERT_GT(::wait(&status), 0);
        EXPECT_EQ(status, 0);
    }

    EXPECT_EQ(by_hand(path_, "SELECT count(*) FROM documents"), std::to_string(kProcesses + 1));
}

// Every process is the first and the last one at the file, as with one pod after the other.
TEST_F(LocalStore, DoesNotLetItsLogGrow)
{
    constexpr off_t kMaxLogBytes = 2L << 20;
    for (int i = 0; i < 150; ++i)
        ASSERT_TRUE(create(block("10.80." + std::to_string(i) + ".0/26")));

    struct stat log {};
    ASSERT_EQ(::stat((path_ + "-wal").c_str(), &log), 0);
    EXPECT_LT(log.st_size, kMaxLogBytes);
}

// A killed writer leaves all of its commit or nothing, and the next one goes on.
TEST_F(LocalStore, SurvivesAKillAtAnyTime)
{
    ASSERT_TRUE(read());
    for (int round = 0; round < 20; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            const std::unique_ptr<Store> own = open();
            for (int n = 0;; ++n) {
                const std::string id = std::to_string(round) + '-' + std::to_string(n);
                const Handle left = handle("left-" + id);
                const Handle right = handle("right-" + id);
                const std::vector<Write> pair = {{Op::kCreate, HandleKey{left.id}, left, {}, 0},
                                                 {Op::kCreate, HandleKey{right.id}, right, {}, 1}};
                own->commit(pair, within_ms(20000));
            }
        }
        ::usleep(static_cast<useconds_t>(1000 + round * 700));
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    }

    ASSERT_TRUE(create(handle("net.c1")));
    EXPECT_EQ(by_hand(path_, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(by_hand(path_, "SELECT count(*) FROM documents WHERE name LIKE '%/left-%'"),
              by_hand(path_, "SELECT count(*) FROM documents WHERE name LIKE '%/right-%'"));
}

}  // namespace
}  // namespace tortie::store
