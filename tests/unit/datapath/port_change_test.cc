// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

ClaimSite site(std::string_view id, std::uint32_t rank, bool active)
{
    PortClaim claim;
    claim.host_port = 80;
    claim.target = *IpAddr::parse("10.0.0.2");
    claim.target_port = 80;
    claim.owner = ClaimOwner::of({"net", std::string(id), "eth0"});
    claim.rank = rank;
    claim.active = active;
    return {.space = PortSpace::of(Family::kIpv4, {}), .claim = claim};
}

class PortChangeTest : public testing::Test {
protected:
    void stand(const ClaimSite &there)
    {
        board_.ports()
            .try_emplace(PortBoard::key_of(there), PortBoard::Port{there.space, {}})
            .first->second.claims.push_back(there.claim);
    }

    PortChange::Goes of(std::string_view id)
    {
        return [id = std::string(id)](const PortClaim &claim) {
            return claim.owner.container_id == id;
        };
    }

    PortBoard board_;
};

TEST_F(PortChangeTest, NamesTheHolderToWhoeverComesLater)
{
    stand(site("old", 1, true));

    const PortChange change(board_, of("young"), {site("young", 0, false)}, 5);

    ASSERT_THAT(change.met(), SizeIs(1));
    EXPECT_EQ(change.met()[0].holder.owner.container_id, "old");
    EXPECT_THAT(change.withdrawn(), IsEmpty());
}

TEST_F(PortChangeTest, KeepsTheAgeOfARepeatedAdd)
{
    stand(site("old", 1, true));
    stand(site("young", 2, false));

    const PortChange change(board_, of("old"), {site("old", 0, false)}, 9);

    EXPECT_THAT(change.met(), IsEmpty());
}

TEST_F(PortChangeTest, GivesAWaitingClaimItsTurnBeforeANewOne)
{
    stand(site("old", 1, true));
    stand(site("waits", 2, false));

    const PortChange change(board_, of("old"), {site("new", 0, false)}, 1);

    ASSERT_THAT(change.met(), SizeIs(1));
    EXPECT_EQ(change.met()[0].holder.owner.container_id, "waits");
}

TEST_F(PortChangeTest, ReportsOnlyWhatPacketsFollowedAsWithdrawn)
{
    stand(site("old", 1, true));
    stand(site("waits", 2, false));

    EXPECT_THAT(PortChange(board_, of("waits"), {}, 9).withdrawn(), IsEmpty());
    EXPECT_THAT(PortChange(board_, of("old"), {}, 9).withdrawn(), SizeIs(1));
    EXPECT_TRUE(PortChange(board_, of("nobody"), {}, 9).empty());
}

}  // namespace
}  // namespace tortie
