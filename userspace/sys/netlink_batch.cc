// SPDX-License-Identifier: Apache-2.0
#include "sys/netlink_batch.h"

#include <algorithm>
#include <optional>
#include <string>

namespace tortie {
namespace {

// The answers of so many wait in the socket at once: one buffer of the kernel for each.
constexpr std::size_t kMessagesAtOnce = 32;

Result<std::vector<int>> request_some(NetlinkSocket &socket, std::span<NetlinkMessage> messages,
                                      std::string_view doing, const NetlinkSocket::OnReply &each)
{
    std::vector<std::uint8_t> bytes;
    std::uint32_t first = 0;
    for (NetlinkMessage &message : messages) {
        const std::uint32_t sequence = socket.next_sequence();
        if (bytes.empty())
            first = sequence;
        const auto more = message.bytes(sequence, NLM_F_ACK);
        bytes.insert(bytes.end(), more.begin(), more.end());
    }

    std::vector<std::optional<int>> answers(messages.size());
    const auto on_reply = [&](const NetlinkReply &reply) {
        if (each && reply.sequence - first < answers.size())
            each(reply);
    };
    const auto on_ack = [&](const NetlinkAck &ack) {
        if (ack.sequence - first < answers.size())
            answers[ack.sequence - first] = ack.error;
    };
    TORTIE_DO(socket.exchange(bytes, doing, on_reply, on_ack));

    std::vector<int> errors;
    for (const auto &answer : answers) {
        if (!answer)
            return fail(ErrorKind::kSystem, std::string(doing) + ": the kernel did not answer");
        errors.push_back(*answer);
    }
    return errors;
}

}  // namespace

Result<std::vector<int>> request_all(NetlinkSocket &socket, std::span<NetlinkMessage> messages,
                                     std::string_view doing, const NetlinkSocket::OnReply &each)
{
    for (const NetlinkMessage &message : messages) {
        if (!message.complete())
            return fail(ErrorKind::kInvalidInput,
                        std::string(doing) + ": netlink message too long");
    }
    std::vector<int> errors;
    while (!messages.empty()) {
        const std::size_t count = std::min(messages.size(), kMessagesAtOnce);
        TORTIE_TRY(const std::vector<int> some,
                   request_some(socket, messages.first(count), doing, each));
        errors.insert(errors.end(), some.begin(), some.end());
        messages = messages.subspan(count);
    }
    return errors;
}

}  // namespace tortie
