// SPDX-License-Identifier: Apache-2.0
#include "sys/nf_tables.h"

#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/netns.h"
#include "sys/nf_tables_batch.h"

namespace tortie::nft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Table kTable{.family = TableFamily::kInet, .name = "tried"};
const Set kPorts{.name = "ports",
                 .key = {Type::kInetProto, Type::kInetService},
                 .data = {Type::kIpv4Addr, Type::kInetService}};

Fields key(std::uint16_t port)
{
    return Fields().add_proto(6).add_port(port);
}

Element element(std::uint16_t port)
{
    return {.key = key(port),
            .data = Fields().add(*IpAddr::parse("10.0.0.2")).add_port(80),
            .comment = "port " + std::to_string(port)};
}

std::vector<Element> elements(std::uint16_t first, std::uint16_t count)
{
    std::vector<Element> out;
    for (std::uint16_t i = 0; i < count; ++i)
        out.push_back(element(static_cast<std::uint16_t>(first + i)));
    return out;
}

bool every(const Element &)
{
    return true;
}

class NfTablesTest : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.emplace();
        auto opened = node_->inside([] { return NfTables::open(); });
        ASSERT_TRUE(opened) << opened.error().what();
        tables_.emplace(std::move(*opened));
    }

    // A table with one map that holds `count` ports from 1000 on.
    void fill(std::uint16_t count)
    {
        Batch batch(kTable);
        batch.add_table();
        batch.add_set(kPorts);
        batch.add_elements(kPorts.name, elements(1000, count));
        const auto done = tables_->commit(std::move(batch));
        ASSERT_TRUE(done) << done.error().what();
    }

    std::vector<std::optional<Element>> find(const std::vector<Fields> &keys)
    {
        std::vector<NfTables::Question> questions;
        questions.reserve(keys.size());
        for (const Fields &one : keys)
            questions.push_back({.set = kPorts.name, .key = &one});
        auto found = tables_->find(kTable, questions);
        EXPECT_TRUE(found) << found.error().what();
        return found ? *found : std::vector<std::optional<Element>>();
    }

    bool has(std::uint16_t port) { return find({key(port)}).at(0).has_value(); }

    std::optional<test::Netns> node_;
    std::optional<NfTables> tables_;
};

TEST_F(NfTablesTest, FindsElementsByKeyAndSaysWhichAreNotThere)
{
    fill(200);

    const auto found = find({key(1000), key(7), key(1199)});

    ASSERT_THAT(found, SizeIs(3));
    ASSERT_TRUE(found[0]);
    EXPECT_EQ(found[0]->comment, "port 1000");
    EXPECT_EQ(found[0]->data, element(1000).data);
    EXPECT_FALSE(found[1]);
    EXPECT_TRUE(found[2]);
}

TEST_F(NfTablesTest, TakesThousandsOfElementsInOneTransaction)
{
    fill(20000);

    const auto kept = tables_->select(kTable, kPorts.name, every);

    ASSERT_TRUE(kept) << kept.error().what();
    EXPECT_THAT(*kept, SizeIs(20000));
}

TEST_F(NfTablesTest, DeletesAndAddsTheSameKeyInOneTransaction)
{
    fill(1);
    Element changed = element(1000);
    changed.data = Fields().add(*IpAddr::parse("10.0.0.9")).add_port(81);

    Batch batch(kTable);
    batch.delete_elements(kPorts.name, std::vector{key(1000)});
    batch.add_elements(kPorts.name, std::vector{changed});
    const auto done = tables_->commit(std::move(batch));

    ASSERT_TRUE(done) << done.error().what();
    EXPECT_EQ(find({key(1000)}).at(0)->data, changed.data);
}

TEST_F(NfTablesTest, DoesAllOfABatchOrNothing)
{
    fill(1);
    Batch batch(kTable);
    batch.add_elements(kPorts.name, std::vector{element(2000)});
    batch.delete_elements(kPorts.name, std::vector{key(3000)});

    const auto done = tables_->commit(std::move(batch));

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind(), ErrorKind::kNotFound);
    EXPECT_THAT(done.error().what(), HasSubstr("delete from set ports"));
    EXPECT_FALSE(has(2000));
}

// More answers than the socket's buffer takes.
TEST_F(NfTablesTest, FailsWhenThousandsOfStepsFail)
{
    fill(1);
    Batch batch(kTable);
    batch.add_elements(kPorts.name, std::vector{element(2000)});
    for (int i = 0; i < 5000; ++i)
        batch.delete_elements("nosuchset", std::vector{key(1)});

    const auto done = tables_->commit(std::move(batch));

    EXPECT_FALSE(done);
    EXPECT_FALSE(has(2000));
}

TEST_F(NfTablesTest, ChangesNothingWhenSomebodyWasFaster)
{
    fill(1);
    const auto generation = tables_->generation();
    ASSERT_TRUE(generation);
    node_->run({"nft", "add", "table", "inet", "somebody"});

    Batch batch(kTable, *generation);
    batch.add_elements(kPorts.name, std::vector{element(2000)});
    const auto done = tables_->commit(std::move(batch));

    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind(), ErrorKind::kTryAgain);
    EXPECT_FALSE(has(2000));
}

TEST_F(NfTablesTest, ListsRulesWithHandleCommentAndJump)
{
    Batch batch(kTable);
    batch.add_table();
    batch.add_chain("one");
    batch.add_chain("two");
    batch.add_rule("one", "to two", [](Expressions &rule) { rule.jump("two"); });
    batch.add_rule("one", "end", [](Expressions &rule) { rule.drop(); });
    ASSERT_TRUE(tables_->commit(std::move(batch)));

    const auto rules = tables_->rules(kTable);

    ASSERT_TRUE(rules) << rules.error().what();
    ASSERT_THAT(*rules, SizeIs(2));
    EXPECT_EQ((*rules)[0].comment, "to two");
    EXPECT_EQ((*rules)[0].jump, "two");
    EXPECT_EQ((*rules)[1].jump, "");
    Batch removal(kTable);
    removal.delete_rule("one", (*rules)[0].handle);
    ASSERT_TRUE(tables_->commit(std::move(removal)));
    EXPECT_THAT(*tables_->rules(kTable), SizeIs(1));
}

TEST_F(NfTablesTest, FindsNothingWhereThereIsNoTable)
{
    EXPECT_THAT(*tables_->rules(kTable), IsEmpty());
    EXPECT_THAT(*tables_->sets(kTable), IsEmpty());
    EXPECT_THAT(*tables_->select(kTable, kPorts.name, every), IsEmpty());
    EXPECT_FALSE(has(1));
}

TEST_F(NfTablesTest, WritesWhatNftCouldHaveWritten)
{
    fill(1);

    const std::string listing = node_->run({"nft", "list", "ruleset"});

    EXPECT_THAT(listing, HasSubstr("type inet_proto . inet_service : ipv4_addr . inet_service"));
    EXPECT_THAT(listing, HasSubstr("tcp . 1000 comment \"port 1000\" : 10.0.0.2 . 80"));
}

// Freeing what was deleted takes the kernel a grace period of RCU; a plugin must not wait for it.
TEST_F(NfTablesTest, LeavesWithoutWaitingForWhatWasDeleted)
{
    fill(1000);
    const auto close_after_deleting = [&](std::uint16_t port) {
        auto tables = node_->inside([] { return NfTables::open(); });
        Batch batch(kTable);
        batch.delete_elements(kPorts.name, std::vector{key(port)});
        EXPECT_TRUE(tables->commit(std::move(batch)));
        const auto start = std::chrono::steady_clock::now();
        {
            const NfTables closed = *std::move(tables);
        }
        return std::chrono::steady_clock::now() - start;
    };

    auto quickest = std::chrono::steady_clock::duration::max();
    for (std::uint16_t port = 1000; port < 1020; ++port)
        quickest = std::min(quickest, close_after_deleting(port));

    EXPECT_LT(quickest, std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace tortie::nft
