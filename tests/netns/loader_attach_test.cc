// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include "base/deadline.h"
#include "base/pause.h"
#include "harness/bpffs.h"
#include "harness/netns.h"
#include "harness/temp_dir.h"
#include "loader/attach.h"
#include "netns/loader_programs.h"
#include "sys/link.h"

namespace tortie::test {
namespace {

constexpr HookedProgram kFirst = {.program = "tt_first", .hook = TcHook::kIngress};
constexpr HookedProgram kSecond = {.program = "tt_second", .hook = TcHook::kIngress, .rank = 1};

class LoaderAttach : public testing::TestWithParam<AttachWay> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_BPF();
        bpffs_.emplace(folder_.path());
        node_.emplace();
        root_ = PinRoot({.bpffs = bpffs_->path(), .lock = lock_ / "lock"});
        ASSERT_TRUE(root_.make(1, programs_named("tt_first", "tt_second")));
        veth_pair(*node_, "tt0", *node_, "tt1");
        route_.emplace(node_->inside([] { return NetlinkSocket::open(NETLINK_ROUTE); }).value());
        device_ = find_link(*route_, "tt0").value().index;
        if (GetParam() == AttachWay::kTcx && !has_tcx())
            GTEST_SKIP() << "needs tcx (Linux 6.6)";
    }

    // Links are found by number, whatever namespace asks; creating one is for the device's own.
    template <class Work>
    auto inside(Work work) const
    {
        return node_->inside(work);
    }

    bool has_tcx()
    {
        Attacher attacher(pins_, AttachWay::kTcx, *route_);
        const bool attached = bool(inside([&] { return attacher.attach(kFirst, device_); }));
        EXPECT_TRUE(attacher.detach(kFirst, device_));
        return attached;
    }

    Attacher attacher(const PinFolder &pins) { return {pins, GetParam(), *route_}; }
    Attacher attacher() { return attacher(pins_); }

    std::size_t filters()
    {
        return list_tc_filters(*route_, device_, TcHook::kIngress).value().size();
    }

    TempDir folder_;
    TempDir lock_;
    std::optional<PrivateBpffs> bpffs_;
    std::optional<Netns> node_;
    PinRoot root_;
    PinFolder pins_{folder_.path() + "/tortie/1"};
    std::optional<NetlinkSocket> route_;
    int device_ = 0;
};

INSTANTIATE_TEST_SUITE_P(, LoaderAttach, testing::Values(AttachWay::kTcx, AttachWay::kClsact),
                         [](const auto &test) {
                             return test.param == AttachWay::kTcx ? "tcx" : "clsact";
                         });

TEST_P(LoaderAttach, AttachesTwoProgramsToOneDeviceAndDetachesEach)
{
    Attacher at = attacher();
    ASSERT_TRUE(inside([&] { return at.attach(kFirst, device_); }));
    ASSERT_TRUE(inside([&] { return at.attach(kSecond, device_); }));
    ASSERT_TRUE(inside([&] { return at.attach(kFirst, device_); }));  // nothing new
    EXPECT_TRUE(inside([&] { return at.is_attached(kFirst, device_); }).value());
    EXPECT_TRUE(inside([&] { return at.is_attached(kSecond, device_); }).value());

    EXPECT_TRUE(inside([&] { return at.detach(kFirst, device_); }));
    EXPECT_TRUE(inside([&] { return at.detach(kFirst, device_); }));

    EXPECT_FALSE(inside([&] { return at.is_attached(kFirst, device_); }).value());
    EXPECT_TRUE(inside([&] { return at.is_attached(kSecond, device_); }).value());
}

TEST_P(LoaderAttach, AttachesSoonWithoutMakingTheCallerWait)
{
    Attacher at = attacher();
    ASSERT_TRUE(inside([&] { return at.attach_soon(kFirst, device_); }));
    ASSERT_TRUE(inside([&] { return at.attach_soon(kFirst, device_); }));

    const Deadline deadline = Deadline::in(std::chrono::seconds(2));
    while (!inside([&] { return at.is_attached(kFirst, device_); }).value()) {
        ASSERT_FALSE(deadline.passed());
        pause_for(std::chrono::milliseconds(1));
    }
}

TEST_P(LoaderAttach, ReplacesTheProgramOfAnotherAbi)
{
    ASSERT_TRUE(inside([&] { return attacher().attach(kFirst, device_); }));
    ASSERT_TRUE(root_.make(2, programs_named("tt_first")));
    const PinFolder newer = root_.folder(2);
    Attacher at = attacher(newer);

    ASSERT_TRUE(inside([&] { return at.take_over_links(pins_); }));
    ASSERT_TRUE(inside([&] { return at.attach(kFirst, device_); }));

    EXPECT_TRUE(inside([&] { return at.is_attached(kFirst, device_); }).value());
    EXPECT_FALSE(inside([&] { return attacher().is_attached(kFirst, device_); }).value());
    EXPECT_TRUE(pins_.link_names().value().empty());
    EXPECT_EQ(filters(), GetParam() == AttachWay::kTcx ? 0U : 1U);
}

TEST_P(LoaderAttach, ReplacesWhatWasAttachedTheOtherWay)
{
    const AttachWay other = GetParam() == AttachWay::kTcx ? AttachWay::kClsact : AttachWay::kTcx;
    const auto before =
        inside([&] { return Attacher(pins_, other, *route_).attach(kFirst, device_); });
    if (!before)
        GTEST_SKIP() << "needs tcx (Linux 6.6)";

    ASSERT_TRUE(inside([&] { return attacher().attach(kFirst, device_); }));

    EXPECT_EQ(filters(), GetParam() == AttachWay::kTcx ? 0U : 1U);
    EXPECT_EQ(pins_.link_names().value().size(), GetParam() == AttachWay::kTcx ? 1U : 0U);
}

TEST_P(LoaderAttach, NoticesThatSomebodyDetachedTheProgram)
{
    ASSERT_TRUE(inside([&] { return attacher().attach(kFirst, device_); }));
    if (GetParam() == AttachWay::kTcx)
        ASSERT_EQ(::unlink(pins_.link("tt_first-" + std::to_string(device_)).c_str()), 0);
    else
        node_->run({"tc", "qdisc", "del", "dev", "tt0", "clsact"});

    EXPECT_FALSE(inside([&] { return attacher().is_attached(kFirst, device_); }).value());
    const auto again = inside([&] { return attacher().attach(kFirst, device_); });
    ASSERT_TRUE(again) << again.error().what();
    EXPECT_TRUE(inside([&] { return attacher().is_attached(kFirst, device_); }).value());
}

TEST_P(LoaderAttach, CleansUpAfterADeviceThatIsGone)
{
    ASSERT_TRUE(inside([&] { return attacher().attach(kFirst, device_); }));
    node_->ip({"link", "del", "tt0"});

    EXPECT_TRUE(inside([&] { return attacher().sweep_links(); }));
    EXPECT_TRUE(pins_.link_names().value().empty());
    EXPECT_TRUE(inside([&] { return attacher().detach(kFirst, device_); }));
    const auto attached = inside([&] { return attacher().attach(kFirst, device_); });
    ASSERT_FALSE(attached);
    EXPECT_EQ(attached.error().kind(), ErrorKind::kNotFound) << attached.error().what();
}

TEST_P(LoaderAttach, ServesADeviceThatHasTheNumberOfAnOlderOne)
{
    ASSERT_TRUE(inside([&] { return attacher().attach(kFirst, device_); }));
    node_->ip({"link", "del", "tt0"});
    node_->ip({"link", "add", "tt0", "index", std::to_string(device_), "type", "veth"});

    ASSERT_TRUE(inside([&] { return attacher().attach(kFirst, device_); }));
    EXPECT_TRUE(inside([&] { return attacher().is_attached(kFirst, device_); }).value());
}

TEST_P(LoaderAttach, FindsForeignProgramsAndLeavesThemAlone)
{
    const auto foreign = [&] {
        return inside([&] { return find_foreign_program(*route_, device_); }).value();
    };
    ASSERT_TRUE(inside([&] { return attacher().attach(kFirst, device_); }));
    EXPECT_EQ(foreign(), std::nullopt);
    const UniqueFd other = make_program("other");
    ASSERT_TRUE(put_bpf_filter(*route_, device_, TcHook::kEgress, {.priority = 9, .handle = 1},
                               other.get(), "other", IfSlotTaken::kFail));

    EXPECT_EQ(foreign(), "tc bpf filter other at egress");
    ASSERT_TRUE(inside([&] { return attacher().detach(kFirst, device_); }));
    EXPECT_EQ(foreign(), "tc bpf filter other at egress");
}

TEST_P(LoaderAttach, RefusesASlotThatSomebodyElseHas)
{
    if (GetParam() == AttachWay::kTcx)
        GTEST_SKIP() << "tcx has no slots";
    const UniqueFd other = make_program("other");
    ASSERT_TRUE(put_bpf_filter(*route_, device_, TcHook::kIngress, slot_of(kFirst), other.get(),
                               "other", IfSlotTaken::kFail));

    const auto attached = inside([&] { return attacher().attach(kFirst, device_); });

    ASSERT_FALSE(attached);
    EXPECT_EQ(attached.error().kind(), ErrorKind::kExists);
    EXPECT_TRUE(inside([&] { return attacher().detach(kFirst, device_); }));
    EXPECT_EQ(filters(), 1U);
}

TEST_P(LoaderAttach, SeesAForeignTcxProgram)
{
    if (GetParam() != AttachWay::kTcx)
        GTEST_SKIP() << "of tcx only";
    const UniqueFd other = make_program("other");
    const UniqueFd link(inside([&] {
        return ::bpf_link_create(other.get(), device_, static_cast<bpf_attach_type>(47), nullptr);
    }));
    ASSERT_TRUE(link.valid());

    EXPECT_EQ(inside([&] { return find_foreign_program(*route_, device_); }).value(),
              "tcx program other");
}

}  // namespace
}  // namespace tortie::test
