// SPDX-License-Identifier: Apache-2.0
#include "host-local/index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::host_local {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

IpAddr ip(std::string_view text)
{
    return IpAddr::parse(text).value();
}

IpAddr ipv4(std::uint32_t value)
{
    const std::array<std::uint8_t, 4> bytes = {
        static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
        static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    return IpAddr::from_bytes(bytes);
}

Seal seal_of(std::int64_t when)
{
    Seal seal;
    seal.boot_id.fill('b');
    seal.directory = {.device = 1,
                      .inode = 2,
                      .modified_s = when,
                      .modified_ns = 4,
                      .changed_s = 5,
                      .changed_ns = 6};
    return seal;
}

class IndexFile : public testing::Test {
protected:
    IndexFile() : directory_(::open(temp_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

    int directory() const { return directory_.get(); }
    std::string path() const { return temp_ / "net.index"; }

    Result<> save(Index &index, const Seal &seal)
    {
        return index.save(directory(), "net.index", seal);
    }
    Result<Index> load(const Seal &seal) { return Index::load(directory(), "net.index", seal); }

    std::string content() const
    {
        std::ifstream in(path(), std::ios::binary);
        std::ostringstream all;
        all << in.rdbuf();
        return all.str();
    }
    void set_content(const std::string &bytes) const
    {
        ::unlink(path().c_str());  // ext4 would write a truncated file to the disk at once
        std::ofstream(path(), std::ios::binary) << bytes;
    }

    test::TempDir temp_;
    UniqueFd directory_;
};

// The whole truth, slowly.
class Model {
public:
    void put(const std::string &owner, const IpAddr &ip) { owner_of_[ip] = owner; }
    void erase(const IpAddr &ip) { owner_of_.erase(ip); }
    bool is_taken(const IpAddr &ip) const { return owner_of_.contains(ip); }
    const std::map<IpAddr, std::string> &all() const { return owner_of_; }

    std::vector<IpAddr> held_by(const std::string &owner) const
    {
        std::vector<IpAddr> held;
        for (const auto &[ip, name] : owner_of_) {
            if (name == owner)
                held.push_back(ip);
        }
        return held;
    }

    std::optional<IpAddr> first_free(const IpAddr &from, const IpAddr &to) const
    {
        for (IpAddr at = from; at <= to; at = at.next()) {
            if (!is_taken(at))
                return at;
        }
        return std::nullopt;
    }

private:
    std::map<IpAddr, std::string> owner_of_;
};

void expect_same(const Index &index, const Model &model)
{
    std::set<std::string> owners = {"nobody\r\neth0"};
    for (const auto &[ip, owner] : model.all())
        owners.insert(owner);
    for (const std::string &owner : owners)
        ASSERT_THAT(index.held_by(owner).value(), UnorderedElementsAreArray(model.held_by(owner)))
            << owner;
}

TEST(Index, IsEmptyAtFirst)
{
    const Index index;

    EXPECT_THAT(index.held_by("c\r\neth0").value(), IsEmpty());
    EXPECT_EQ(index.first_free(ip("10.0.0.1"), ip("10.0.0.9")).value(), ip("10.0.0.1"));
}

TEST(Index, KnowsEveryAddressOfAnOwner)
{
    Index index;
    ASSERT_TRUE(index.put("c\r\neth0", ip("10.0.0.1")));
    ASSERT_TRUE(index.put("c\r\neth0", ip("2001:db8::1")));
    ASSERT_TRUE(index.put("d\r\neth0", ip("10.0.0.2")));

    EXPECT_THAT(index.held_by("c\r\neth0").value(), ElementsAre(ip("10.0.0.1"), ip("2001:db8::1")));
    ASSERT_TRUE(index.erase("c\r\neth0", ip("10.0.0.1")));
    EXPECT_THAT(index.held_by("c\r\neth0").value(), ElementsAre(ip("2001:db8::1")));
    EXPECT_EQ(index.first_free(ip("10.0.0.1"), ip("10.0.0.9")).value(), ip("10.0.0.1"));
}

TEST(Index, PassesOverTakenAddressesAcrossItsPages)
{
    Index index;
    for (std::uint32_t i = 0; i < 5000; ++i)
        ASSERT_TRUE(index.put("", ipv4(0x0a000000 + i)));

    const auto first_free = [&](std::string_view from, std::string_view to) {
        return index.first_free(ip(from), ip(to)).value();
    };
    EXPECT_EQ(first_free("10.0.0.0", "10.0.255.255"), ip("10.0.19.136"));
    EXPECT_EQ(first_free("10.0.0.0", "10.0.19.136"), ip("10.0.19.136"));
    EXPECT_EQ(first_free("10.0.0.0", "10.0.19.135"), std::nullopt);
    EXPECT_EQ(first_free("10.0.7.255", "10.0.8.0"), std::nullopt);
    EXPECT_EQ(first_free("9.255.255.255", "10.0.8.0"), ip("9.255.255.255"));
}

TEST(Index, EndsAtTheLastAddressOfTheFamily)
{
    Index index;
    for (std::uint32_t i = 0; i < 2048; ++i)
        ASSERT_TRUE(index.put("", ipv4(0xffffffff - i)));

    EXPECT_EQ(index.first_free(ip("255.255.255.0"), ip("255.255.255.255")).value(), std::nullopt);
}

TEST(Index, HoldsMoreAddressesOfOneOwnerThanABucketHas)
{
    Index index;
    Model model;
    for (std::uint32_t i = 0; i < 300; ++i) {
        const std::string owner = i < 200 ? "many\r\neth0" : "c" + std::to_string(i);
        ASSERT_TRUE(index.put(owner, ipv4(0x0a000000 + i)));
        model.put(owner, ipv4(0x0a000000 + i));
    }
    expect_same(index, model);

    for (std::uint32_t i = 0; i < 300; i += 2) {
        ASSERT_TRUE(
            index.erase(i < 200 ? "many\r\neth0" : "c" + std::to_string(i), ipv4(0x0a000000 + i)));
        model.erase(ipv4(0x0a000000 + i));
    }
    expect_same(index, model);
}

TEST(Index, DoesNotGrowForEverWhileAnIpv6RangeIsWalkedThrough)
{
    test::TempDir temp;
    const UniqueFd directory(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Index index;
    IpAddr at = ip("2001:db8::");
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(index.put("c\r\neth0", at));
        ASSERT_TRUE(index.erase("c\r\neth0", at));
        at = at.last_in(128 - 11).next();  // the next page
    }
    ASSERT_TRUE(index.save(directory.get(), "i", seal_of(1)));

    struct stat st {};
    ASSERT_EQ(::stat((temp / "i").c_str(), &st), 0);
    EXPECT_LE(st.st_size, 16 * 512);
}

// One random step after the other, on an index and on a model; the seed is fixed.
class RandomWalk {
public:
    void step(Index &index)
    {
        const bool v6 = random() % 4 == 0;
        const IpAddr at = v6 ? ip("2001:db8::" + std::to_string(random() % 9000))
                             : ipv4(kFirst + random() % 6000);
        const std::string owner = "c" + std::to_string(random() % 1500) + "\r\neth0";
        const std::uint32_t choice = random() % 4;
        if (choice < 2)
            put(index, owner, at);
        else if (choice == 2)
            release(index, owner);
        else if (!v6) {
            ASSERT_EQ(index.first_free(at, last_).value(), model_.first_free(at, last_));
        }
    }

    const Model &model() const { return model_; }

private:
    static constexpr std::uint32_t kFirst = 0x0a000000;
    const IpAddr last_ = ipv4(0x0a0017ff);

    std::uint32_t random() { return static_cast<std::uint32_t>(engine_()); }

    void put(Index &index, const std::string &owner, const IpAddr &at)
    {
        if (model_.is_taken(at))
            return;
        ASSERT_TRUE(index.put(owner, at));
        model_.put(owner, at);
    }
    void release(Index &index, const std::string &owner)
    {
        for (const IpAddr &held : model_.held_by(owner)) {
            ASSERT_TRUE(index.erase(owner, held));
            model_.erase(held);
        }
    }

    std::mt19937 engine_{20261125};
    Model model_;
};

TEST_F(IndexFile, AgreesWithAModelThroughRandomOperationsSavesAndLoads)
{
    RandomWalk walk;
    Index index;
    for (int step = 0; step < 20'000; ++step) {
        walk.step(index);
        ASSERT_FALSE(HasFatalFailure());
        if (step % 997 == 0) {
            ASSERT_TRUE(save(index, seal_of(step)));
            auto loaded = load(seal_of(step));
            ASSERT_TRUE(loaded) << loaded.error().what();
            index = *std::move(loaded);
        }
    }
    expect_same(index, walk.model());
    EXPECT_GT(walk.model().all().size(), 1000U);
}

TEST_F(IndexFile, IsUpdatedInPlace)
{
    Index fresh;
    ASSERT_TRUE(fresh.put("c\r\neth0", ip("10.0.0.1")));
    ASSERT_TRUE(save(fresh, seal_of(1)));

    auto loaded = load(seal_of(1)).value();
    ASSERT_TRUE(loaded.put("d\r\neth0", ip("10.0.0.2")));
    ASSERT_TRUE(save(loaded, seal_of(2)));

    const auto again = load(seal_of(2)).value();
    EXPECT_THAT(again.held_by("d\r\neth0").value(), ElementsAre(ip("10.0.0.2")));
    EXPECT_THAT(again.held_by("c\r\neth0").value(), ElementsAre(ip("10.0.0.1")));
}

// As after a kill between the change of the blocks and that of the head.
TEST_F(IndexFile, IsStaleUntilItIsSealedAgain)
{
    Index fresh;
    ASSERT_TRUE(save(fresh, seal_of(1)));
    auto loaded = load(seal_of(1)).value();
    ASSERT_TRUE(loaded.put("d\r\neth0", ip("10.0.0.2")));

    EXPECT_EQ(load(seal_of(2)).error().kind(), ErrorKind::kInvalidInput);
}

TEST_F(IndexFile, IsNotBelievedAfterAnotherBootOrAChangedDirectory)
{
    Index fresh;
    ASSERT_TRUE(save(fresh, seal_of(1)));
    ASSERT_TRUE(load(seal_of(1)));

    Seal other_boot = seal_of(1);
    other_boot.boot_id[35] = 'c';
    EXPECT_FALSE(load(other_boot));
    for (const auto member : {&DirectoryStamp::device, &DirectoryStamp::inode}) {
        Seal changed = seal_of(1);
        ++(changed.directory.*member);
        EXPECT_FALSE(load(changed));
    }
    for (const auto member : {&DirectoryStamp::modified_s, &DirectoryStamp::modified_ns,
                              &DirectoryStamp::changed_s, &DirectoryStamp::changed_ns}) {
        Seal changed = seal_of(1);
        ++(changed.directory.*member);
        EXPECT_FALSE(load(changed));
    }
}

TEST_F(IndexFile, IsNotFoundWhenItIsNotThere)
{
    EXPECT_EQ(load(seal_of(1)).error().kind(), ErrorKind::kNotFound);
}

TEST_F(IndexFile, IsNeverReachedThroughALink)
{
    Index fresh;
    ASSERT_TRUE(save(fresh, seal_of(1)));
    ASSERT_EQ(::rename(path().c_str(), (temp_ / "elsewhere").c_str()), 0);
    ASSERT_EQ(::symlink("elsewhere", path().c_str()), 0);

    EXPECT_FALSE(load(seal_of(1)));
    ASSERT_EQ(::symlink("victim", (path() + ".tmp").c_str()), 0);
    EXPECT_FALSE(save(fresh, seal_of(2)));
    EXPECT_NE(::access((temp_ / "victim").c_str(), F_OK), 0);
}

TEST_F(IndexFile, DoesNotHangOnAFifo)
{
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);

    EXPECT_FALSE(load(seal_of(1)));
}

// Every answer is an error or right, whichever byte is wrong and wherever the file ends.
class DamagedIndex : public IndexFile {
protected:
    DamagedIndex()
    {
        Index index;
        for (std::uint32_t i = 0; i < 300; ++i) {
            const std::string owner = "c" + std::to_string(i) + "\r\neth0";
            EXPECT_TRUE(index.put(owner, ipv4(0x0a000001 + i)));
            model_.put(owner, ipv4(0x0a000001 + i));
        }
        EXPECT_TRUE(save(index, seal_of(1)));
        good_ = content();
    }

    void expect_no_wrong_answer()
    {
        const auto index = load(seal_of(1));
        if (!index)
            return;
        for (std::uint32_t i = 0; i < 310; i += 10) {
            const std::string owner = "c" + std::to_string(i) + "\r\neth0";
            const auto held = index->held_by(owner);
            if (held) {
                ASSERT_EQ(*held, model_.held_by(owner));
            }
        }
        const auto free = index->first_free(ipv4(0x0a000001), ipv4(0x0a0000ff));
        if (free) {
            ASSERT_EQ(*free, model_.first_free(ipv4(0x0a000001), ipv4(0x0a0000ff)));
        }
    }

    // Random words in a random block, not the head, and the right checksum.
    void poison_a_block(std::mt19937 &random)
    {
        BlockFile blocks(UniqueFd(::open(path().c_str(), O_RDWR | O_CLOEXEC)));
        const auto count = static_cast<std::uint32_t>(good_.size() / kBlockBytes);
        const auto number = 1 + static_cast<std::uint32_t>(random()) % (count - 1);
        Block block = blocks.read<Block>(number).value();
        for (std::uint64_t &word : block.words) {
            if (random() % 3 == 0)
                word = static_cast<std::uint64_t>(random()) << (random() % 33);
        }
        ASSERT_TRUE(blocks.write(number, block));
    }

    static void use(Index &index)
    {
        for (std::uint32_t i = 0; i < 40; ++i) {
            const std::string owner = "c" + std::to_string(i) + "\r\neth0";
            static_cast<void>(index.held_by(owner));
            static_cast<void>(index.first_free(ipv4(0x0a000000 + i * 50), ipv4(0x0a00ffff)));
            static_cast<void>(index.put(owner, ipv4(0x0a100000 + i * 2048)));
            static_cast<void>(index.erase(owner, ipv4(0x0a000001 + i)));
        }
    }

    Model model_;
    std::string good_;
};

TEST_F(DamagedIndex, IsNoticedAtEveryByte)
{
    for (std::size_t at = 0; at < good_.size(); at += 7) {
        std::string bytes = good_;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
        set_content(bytes);
        expect_no_wrong_answer();
    }
}

TEST_F(DamagedIndex, IsNoticedWhereverItIsCutOff)
{
    for (std::size_t size = 0; size < good_.size(); size += 100) {
        set_content(good_.substr(0, size));
        expect_no_wrong_answer();
    }
}

TEST_F(DamagedIndex, IsNoticedWhenBlocksChangePlaces)
{
    std::string bytes = good_;
    std::swap_ranges(bytes.begin() + 512, bytes.begin() + 1024, bytes.begin() + 1024);
    set_content(bytes);

    const auto index = load(seal_of(1));
    ASSERT_TRUE(index);
    EXPECT_FALSE(index->held_by("c1\r\neth0") && index->held_by("c2\r\neth0") &&
                 index->held_by("c3\r\neth0") && index->held_by("c4\r\neth0"));
}

// Checksums that are right over content that makes no sense: answers may be wrong, which costs
// nothing but time; they come, and memory stays ours (run it under the sanitizers).
TEST_F(DamagedIndex, SurvivesBlocksOfAnEnemy)
{
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        set_content(good_);
        for (int i = 0; i < 6; ++i)
            poison_a_block(random);
        auto index = load(seal_of(1));
        ASSERT_TRUE(index);
        use(*index);
    }
}

}  // namespace
}  // namespace tortie::host_local
