// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "harness/bpffs.h"
#include "harness/temp_dir.h"
#include "loader/typed_map.h"
#include "netns/loader_programs.h"

namespace tortie::test {
namespace {

class LoaderPins : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_BPF();
        bpffs_.emplace(folder_.path());
        root_ = PinRoot({.bpffs = bpffs_->path(), .lock = lock_ / "lock"});
    }

    PinFolder folder(unsigned abi) const { return root_.folder(abi); }

    // Runs `work` in a process of its own; its exit status.
    template <class Work>
    static pid_t start(Work work)
    {
        const pid_t child = ::fork();
        if (child == 0)
            ::_exit(work());
        return child;
    }

    static int status_of(pid_t child)
    {
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    TempDir folder_;
    TempDir lock_;
    std::optional<PrivateBpffs> bpffs_;
    PinRoot root_;
};

TEST_F(LoaderPins, MakesAFolderOnceAndThenFindsIt)
{
    ASSERT_TRUE(root_.make(1, programs_named("tt_a", "tt_b")).value());
    const auto never = [](const PinFolder &) -> Result<> {
        return fail(ErrorKind::kSystem, "asked again");
    };

    EXPECT_FALSE(root_.make(1, never).value());
    EXPECT_EQ(::access(folder(1).program("tt_b").c_str(), F_OK), 0);
    EXPECT_EQ(root_.abis().value(), std::vector<unsigned>{1});
}

TEST_F(LoaderPins, HasExactlyOneWinnerAmongThirtyProcesses)
{
    std::vector<pid_t> racers;
    for (int i = 0; i < 30; ++i)
        racers.push_back(start([&] {
            const auto made = root_.make(1, programs_named("tt_a"));
            return !made ? 9 : *made ? 1 : 0;
        }));
    int winners = 0;
    for (const pid_t racer : racers) {
        const int status = status_of(racer);
        EXPECT_LE(status, 1);
        winners += status;
    }

    EXPECT_EQ(winners, 1);
    EXPECT_TRUE(folder(1).exists());
}

TEST_F(LoaderPins, BeginsAnewWhatAKilledProcessBegan)
{
    const pid_t killed = start([&] {
        (void)root_.make(1, [](const PinFolder &fresh) -> Result<> {
            pin(make_program("tt_a"), fresh.program("tt_a"));
            ::_exit(7);
        });
        return 0;
    });
    ASSERT_EQ(status_of(killed), 7);
    ASSERT_FALSE(folder(1).exists());

    EXPECT_TRUE(root_.make(1, programs_named("tt_a", "tt_b")).value());
    EXPECT_EQ(::access(folder(1).program("tt_b").c_str(), F_OK), 0);
}

TEST_F(LoaderPins, LeavesNothingOfAFailedLoad)
{
    const auto made = root_.make(1, [](const PinFolder &fresh) -> Result<> {
        pin(make_program("tt_a"), fresh.program("tt_a"));
        return fail(ErrorKind::kUnsupported, "the verifier says no");
    });

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().what(), "the verifier says no");
    EXPECT_NE(::access((bpffs_->path() + "/tortie/loading").c_str(), F_OK), 0);
    EXPECT_TRUE(root_.abis().value().empty());
}

TEST_F(LoaderPins, RemovesAFolderWithAllThatIsPinned)
{
    ASSERT_TRUE(root_.make(1, programs_named("tt_a")));

    EXPECT_TRUE(folder(1).remove());
    EXPECT_TRUE(folder(1).remove());
    EXPECT_FALSE(folder(1).exists());
}

TEST_F(LoaderPins, SaysWhatIsMissingWithoutBpffs)
{
    const PinRoot bare({.bpffs = lock_.path(), .lock = lock_ / "lock"});

    const auto made = bare.make(1, programs_named("tt_a"));

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind(), ErrorKind::kUnsupported);
    EXPECT_EQ(made.error().what(), "no bpffs is mounted on " + lock_.path());
    EXPECT_TRUE(bare.abis().value().empty());
}

struct Pair {
    std::uint32_t a;
    std::uint32_t b;
};

class LoaderMaps : public LoaderPins {
protected:
    void SetUp() override
    {
        LoaderPins::SetUp();
        if (IsSkipped())
            return;
        pin(make_map("tt_pairs", BPF_MAP_TYPE_HASH, sizeof(Pair), sizeof(std::uint64_t), 2000),
            map_);
    }

    std::string map_ = folder_ / "tt_pairs";
};

TEST_F(LoaderMaps, RefusesAMapOfOtherSizes)
{
    const auto opened = TypedMap<Pair, Pair>::open(map_);
    ASSERT_TRUE(opened);  // eight bytes as well
    const auto refused = TypedMap<Pair, std::uint32_t>::open(map_);

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::kConflict);
    EXPECT_EQ(refused.error().what(),
              "map tt_pairs has keys of 8 and values of 8 bytes, expected are 8 and 4");
}

TEST_F(LoaderMaps, RefusesWhatIsNoMap)
{
    pin(make_program("tt_a"), folder_ / "tt_a");

    const auto refused = TypedMap<Pair, std::uint64_t>::open(folder_ / "tt_a");
    const auto missing = TypedMap<Pair, std::uint64_t>::open(folder_ / "tt_none");

    EXPECT_FALSE(refused);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), ErrorKind::kNotFound);
}

TEST_F(LoaderMaps, PutsAddsFindsAndErases)
{
    const auto map = TypedMap<Pair, std::uint64_t>::open(map_).value();

    EXPECT_TRUE(map.add({1, 2}, 12));
    EXPECT_EQ(map.add({1, 2}, 13).error().kind(), ErrorKind::kExists);
    EXPECT_TRUE(map.put({1, 2}, 14));
    EXPECT_EQ(map.find({1, 2}).value(), 14U);
    EXPECT_TRUE(map.erase({1, 2}).value());
    EXPECT_FALSE(map.erase({1, 2}).value());
    EXPECT_EQ(map.find({1, 2}).value(), std::nullopt);
}

TEST_F(LoaderMaps, VisitsEveryEntryOnce)
{
    const auto map = TypedMap<Pair, std::uint64_t>::open(map_).value();
    for (std::uint32_t i = 0; i < 2000; ++i)
        ASSERT_TRUE(map.put({i, 0}, i));

    std::multiset<std::uint64_t> seen;
    ASSERT_TRUE(map.visit([&](const Pair &key, const std::uint64_t &value) {
        seen.insert(value);
        return key.a == value;
    }));

    EXPECT_EQ(seen.size(), 2000U);
    EXPECT_EQ(std::set<std::uint64_t>(seen.begin(), seen.end()).size(), 2000U);
}

TEST_F(LoaderMaps, SharesVariablesAsMemory)
{
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = BPF_F_MMAPABLE;
    pin(UniqueFd(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "tt_state", 4, sizeof(Pair), 1, &options)),
        folder_ / "tt_state");
    const auto variables = MappedVariables<Pair>::open(folder_ / "tt_state").value();

    variables->b = 7;

    const auto map = TypedMap<std::uint32_t, Pair>::open(folder_ / "tt_state").value();
    EXPECT_EQ(map.find(0).value().value().b, 7U);
}

TEST_F(LoaderMaps, ReadsWhatEachCpuHas)
{
    pin(make_map("tt_counts", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 3), folder_ / "tt_counts");

    const auto counts = PerCpuArray<std::uint64_t>::open(folder_ / "tt_counts").value();

    EXPECT_EQ(counts.max_entries(), 3U);
    EXPECT_FALSE(counts.find(2).value().value().empty());
    EXPECT_EQ(counts.find(3).value(), std::nullopt);
}

}  // namespace
}  // namespace tortie::test
