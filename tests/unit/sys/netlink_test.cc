// SPDX-License-Identifier: Apache-2.0
//
// The route protocol answers everybody, so the socket is tried on it without privileges.
#include "sys/netlink.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

NetlinkAttrs attributes_of(NetlinkMessage &message)
{
    return NetlinkAttrs(message.bytes(1).subspan(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(rtgenmsg))));
}

NetlinkMessage link_request(int index)
{
    NetlinkMessage message(RTM_GETLINK, 0);
    ifinfomsg header{};
    header.ifi_index = index;
    message.put_header(header);
    return message;
}

NetlinkMessage link_dump()
{
    return link_request(0);
}

TEST(NetlinkMessage, ReadsBackWhatWasPut)
{
    NetlinkMessage message(RTM_GETLINK, 0);
    message.put_header(rtgenmsg{});
    message.put_string(1, "lo");
    message.put_u32_be(2, 0x01020304);
    message.nest(3, [&] { message.put_u8(4, 5); });

    NetlinkAttrs attrs = attributes_of(message);
    EXPECT_EQ(attrs.find(1)->string(), "lo");
    EXPECT_THAT(attrs.find(2)->payload, ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(attrs.find(2)->u32_be(), 0x01020304u);
    EXPECT_EQ(attrs.find(3)->nested().find(4)->u8(), 5);
    EXPECT_FALSE(attrs.find(4));
}

TEST(NetlinkMessage, RemembersThatSomethingDidNotFit)
{
    NetlinkMessage message(RTM_GETLINK, 0, 64);
    message.put_header(rtgenmsg{});
    const std::array<std::uint8_t, 64> too_much{};

    message.put(1, too_much);
    message.put_u8(2, 1);

    EXPECT_FALSE(message.complete());
}

TEST(NetlinkAttrs, StopsAtALengthThatRunsOutOfTheMessage)
{
    const std::array<std::uint8_t, 8> lying{12, 0, 1, 0, 0, 0, 0, 0};
    const std::array<std::uint8_t, 8> backwards{2, 0, 1, 0, 0, 0, 0, 0};

    EXPECT_FALSE(NetlinkAttrs(lying).next());
    EXPECT_FALSE(NetlinkAttrs(backwards).next());
}

TEST(NetlinkAttr, ReadsANumberThatIsTooShortAsZero)
{
    const std::array<std::uint8_t, 6> short_number{6, 0, 1, 0, 7, 7};

    EXPECT_EQ(NetlinkAttrs(short_number).next()->u32(), 0u);
}

TEST(NetlinkSocket, AnswersAQuestion)
{
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    ASSERT_TRUE(socket) << socket.error().what();
    std::vector<std::string> names;
    NetlinkMessage message = link_request(1);

    const auto asked = socket->query(message, "look at lo", [&](const NetlinkReply &reply) {
        names.emplace_back(reply.attrs<ifinfomsg>().find(IFLA_IFNAME)->string());
    });

    ASSERT_TRUE(asked) << asked.error().what();
    EXPECT_THAT(names, ElementsAre("lo"));
}

TEST(NetlinkSocket, KeepsTheKernelsErrno)
{
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    ASSERT_TRUE(socket) << socket.error().what();
    NetlinkMessage message = link_request(0x7ffffff0);

    const auto asked = socket->query(message, "look at it", [](const NetlinkReply &) {});

    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().kind(), ErrorKind::kNotFound);
    EXPECT_EQ(asked.error().sys_errno(), ENODEV);
    EXPECT_THAT(asked.error().what(), HasSubstr("look at it"));
}

TEST(NetlinkSocket, RefusesAMessageThatIsNotWhole)
{
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    ASSERT_TRUE(socket) << socket.error().what();
    NetlinkMessage message = link_request(1);
    message.put_string(IFLA_ALT_IFNAME, std::string(8192, 'x'));

    const auto asked = socket->request(message, "look at it");

    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().kind(), ErrorKind::kInvalidInput);
}

TEST(NetlinkSocket, DumpsAList)
{
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    ASSERT_TRUE(socket) << socket.error().what();
    std::vector<int> indexes;
    NetlinkMessage message = link_dump();

    const auto dumped = socket->dump(
        message, "list links", [&] { indexes.clear(); },
        [&](const NetlinkReply &reply) { indexes.push_back(reply.header<ifinfomsg>().ifi_index); });

    ASSERT_TRUE(dumped) << dumped.error().what();
    EXPECT_THAT(indexes, testing::Contains(1));
}

TEST(NetlinkSocket, TakesManyQuestionsInOneCall)
{
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    ASSERT_TRUE(socket) << socket.error().what();
    std::vector<std::uint8_t> bytes;
    for (const int index : {1, 0x7ffffff0, 1}) {
        NetlinkMessage message = link_request(index);
        const auto more = message.bytes(socket->next_sequence(), NLM_F_ACK);
        bytes.insert(bytes.end(), more.begin(), more.end());
    }
    std::vector<std::uint32_t> answered;
    std::vector<int> ends;

    const auto exchanged = socket->exchange(
        bytes, "look at three",
        [&](const NetlinkReply &reply) { answered.push_back(reply.sequence); },
        [&](const NetlinkAck &ack) { ends.push_back(ack.error); });

    ASSERT_TRUE(exchanged) << exchanged.error().what();
    EXPECT_THAT(answered, ElementsAre(1, 3));
    EXPECT_THAT(ends, ElementsAre(0, ENODEV, 0));
}

TEST(NetlinkSocket, SaysUnsupportedWhereTheKernelHasNoSuchProtocol)
{
    const auto socket = NetlinkSocket::open(31);

    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().kind(), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace tortie
