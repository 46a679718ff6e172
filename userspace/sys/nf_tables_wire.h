// SPDX-License-Identifier: Apache-2.0
//
// What the files behind sys/nf_tables.h share: message types, headers and nft's user data.
#pragma once

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "sys/nf_tables.h"

namespace tortie::nft {

constexpr std::uint16_t message_type(std::uint16_t type)
{
    return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
}

inline nfgenmsg family_header(TableFamily family)
{
    nfgenmsg header{};
    header.nfgen_family = static_cast<std::uint8_t>(family);
    header.version = NFNETLINK_V0;
    return header;
}

// nft's user data is a list of (type, length, value), a byte each for the first two. A comment is
// number 0 on elements and rules (libnftnl/udata.h), with its terminating zero.
constexpr std::uint8_t kUserDataComment = 0;

inline std::string comment_user_data(std::string_view comment)
{
    comment = comment.substr(0, kMaxCommentBytes);
    std::string out{static_cast<char>(kUserDataComment), static_cast<char>(comment.size() + 1)};
    out += comment;
    out += '\0';
    return out;
}

// Empty when there is none; whoever wrote the bytes may have written anything.
inline std::string_view comment_of(std::string_view user_data)
{
    while (user_data.size() >= 2) {
        const auto type = static_cast<std::uint8_t>(user_data[0]);
        const std::size_t length = static_cast<std::uint8_t>(user_data[1]);
        user_data.remove_prefix(2);
        if (length > user_data.size())
            return {};
        if (type == kUserDataComment) {
            const std::string_view text = user_data.substr(0, length);
            return text.substr(0, text.find('\0'));
        }
        user_data.remove_prefix(length);
    }
    return {};
}

inline std::span<const std::uint8_t> as_bytes(std::string_view text)
{
    return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

inline std::string_view as_text(std::span<const std::uint8_t> bytes)
{
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

}  // namespace tortie::nft
