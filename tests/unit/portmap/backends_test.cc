// SPDX-License-Identifier: Apache-2.0
#include "portmap/backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::portmap {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const PublishedPort kPort = {Protocol::kTcp, std::nullopt, 8080, *IpAddr::parse("10.0.0.2"), 80};

// Answers what it is told to, and remembers what it was asked.
class FakeMapper final : public PortMapper {
public:
    std::optional<Error> publishing;  // what goes wrong there; nullopt: nothing
    std::optional<Error> checking;
    std::optional<Error> removing;
    std::vector<std::string> calls;

    Result<std::vector<PublishedPort>> publish(const Publication &) override
    {
        return answer("publish", publishing);
    }
    Result<> check(const Publication &) override
    {
        TORTIE_DO(answer("check", checking));
        return {};
    }
    Result<std::vector<PublishedPort>> withdraw(const Publication &) override
    {
        return answer("withdraw", removing);
    }
    Result<std::vector<PublishedPort>> collect_garbage(const std::string &,
                                                       const std::vector<Attachment> &) override
    {
        return answer("collect", removing);
    }

private:
    Result<std::vector<PublishedPort>> answer(const char *call, const std::optional<Error> &error)
    {
        calls.emplace_back(call);
        if (error)
            return fail(*error);
        return std::vector{kPort};
    }
};

Error failure(ErrorKind kind)
{
    return {kind, "why not"};
}

class PortmapBackends : public testing::Test {
protected:
    FakeMapper nftables_;
    FakeMapper iptables_;
    Backends backends_{nftables_, iptables_};
    Config config_;  // nftables, not by name
};

TEST_F(PortmapBackends, PublishByNftablesAlone)
{
    const auto published = backends_.publish(config_);

    ASSERT_TRUE(published);
    EXPECT_EQ(published->backend, Backend::kNftables);
    EXPECT_THAT(published->held, ElementsAre(kPort));
    EXPECT_THAT(iptables_.calls, IsEmpty());
}

TEST_F(PortmapBackends, FallBackToIptablesWhereTheKernelHasNoNfTables)
{
    nftables_.publishing = failure(ErrorKind::kUnsupported);

    const auto published = backends_.publish(config_);

    ASSERT_TRUE(published);
    EXPECT_EQ(published->backend, Backend::kIptables);
    EXPECT_THAT(nftables_.calls, ElementsAre("publish"));
    EXPECT_THAT(iptables_.calls, ElementsAre("publish"));
    EXPECT_TRUE(backends_.withdraw_by(published->backend, config_.publication));
    EXPECT_THAT(nftables_.calls, ElementsAre("publish"));
    EXPECT_THAT(iptables_.calls, ElementsAre("publish", "withdraw"));
}

TEST_F(PortmapBackends, DoNotFallBackFromABackendThatIsNamed)
{
    nftables_.publishing = failure(ErrorKind::kUnsupported);
    config_.backend_given = true;

    const auto published = backends_.publish(config_);

    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().kind(), ErrorKind::kUnsupported);
    EXPECT_THAT(iptables_.calls, IsEmpty());
}

TEST_F(PortmapBackends, NeverFallBackFromIptables)
{
    iptables_.publishing = failure(ErrorKind::kUnsupported);
    config_.backend = Backend::kIptables;

    EXPECT_FALSE(backends_.publish(config_));
    EXPECT_THAT(nftables_.calls, IsEmpty());
}

TEST_F(PortmapBackends, UndoAPublicationOfUnknownOutcomeAndDoNotFallBack)
{
    for (const ErrorKind kind : {ErrorKind::kSystem, ErrorKind::kTryAgain}) {
        nftables_.calls.clear();
        nftables_.publishing = failure(kind);

        const auto published = backends_.publish(config_);

        ASSERT_FALSE(published);
        EXPECT_EQ(published.error().what(), "why not");
        EXPECT_THAT(nftables_.calls, ElementsAre("publish", "withdraw"));
        EXPECT_THAT(iptables_.calls, IsEmpty());
    }
}

TEST_F(PortmapBackends, CheckTheOtherOneBeforeTheyComplain)
{
    nftables_.checking = failure(ErrorKind::kNotFound);
    EXPECT_TRUE(backends_.check(config_));

    iptables_.checking = Error(ErrorKind::kNotFound, "of the other one");
    const auto checked = backends_.check(config_);

    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().what(), "why not");
}

TEST_F(PortmapBackends, WithdrawByBothAlsoWhenTheFirstOneFails)
{
    EXPECT_THAT(backends_.withdraw(config_).value(), ElementsAre(kPort, kPort));

    nftables_.removing = failure(ErrorKind::kSystem);
    iptables_.calls.clear();
    EXPECT_FALSE(backends_.withdraw(config_));
    EXPECT_FALSE(backends_.collect_garbage("net", {}));
    EXPECT_THAT(iptables_.calls, ElementsAre("withdraw", "collect"));
}

TEST_F(PortmapBackends, WithdrawWithoutABackendThatTheNodeDoesNotHave)
{
    iptables_.removing = failure(ErrorKind::kUnsupported);
    EXPECT_THAT(backends_.withdraw(config_).value(), ElementsAre(kPort));
    EXPECT_THAT(backends_.collect_garbage("net", {}).value(), ElementsAre(kPort));

    config_.backend = Backend::kIptables;
    config_.backend_given = true;
    EXPECT_FALSE(backends_.withdraw(config_));
}

}  // namespace
}  // namespace tortie::portmap
