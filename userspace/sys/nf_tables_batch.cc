// SPDX-License-Identifier: Apache-2.0
#include "sys/nf_tables_batch.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sys/nf_tables_wire.h"

namespace tortie::nft {
namespace {

// A nested attribute counts its bytes in 16 bits; room for the message's other attributes.
constexpr std::size_t kMaxListBytes = 60 << 10;
constexpr std::size_t kMaxKeyElementBytes = 64 + 16;  // NFT_DATA_VALUE_MAXLEN and headers
constexpr std::size_t kOtherBytes = 4 << 10;

constexpr unsigned kTypeBits = 6;  // nft packs the types of a concatenation this way

std::uint32_t type_number(const std::vector<Type> &types)
{
    std::uint32_t number = 0;
    for (const Type type : types)
        number = number << kTypeBits | static_cast<std::uint32_t>(type);
    return number;
}

std::uint32_t length_bytes(const std::vector<Type> &types)
{
    std::uint32_t bytes = 0;
    for (const Type type : types)
        bytes += type == Type::kIpv6Addr ? 16 : 4;
    return bytes;
}

// Elements of a single type keep that type's byte order, which a listing needs to know; 0 is what
// nft writes for a concatenation.
std::string set_user_data(const Set &set)
{
    const auto order = [](const std::vector<Type> &types) {
        constexpr char kHostEndian = 1;
        return types.size() == 1 && types[0] == Type::kMark ? kHostEndian : char{0};
    };
    std::string out{0, 4, order(set.key), 0, 0, 0};
    if (!set.data.empty())
        out += std::string{1, 4, order(set.data), 0, 0, 0};
    return out;
}

std::size_t element_bytes(const Element &element)
{
    constexpr std::size_t kOverhead = 40;  // attribute headers and padding
    return kOverhead + element.key.bytes().size() + element.data.bytes().size() +
           element.comment.size();
}

void put_element(NetlinkMessage &message, const Element &element)
{
    const auto put_value = [&](std::uint16_t attr, const Fields &value) {
        message.nest(attr, [&] { message.put(NFTA_DATA_VALUE, value.bytes()); });
    };
    message.nest(NFTA_LIST_ELEM, [&] {
        put_value(NFTA_SET_ELEM_KEY, element.key);
        if (!element.data.bytes().empty())
            put_value(NFTA_SET_ELEM_DATA, element.data);
        if (!element.comment.empty())
            message.put(NFTA_SET_ELEM_USERDATA, as_bytes(comment_user_data(element.comment)));
    });
}

std::string quoted(std::string_view what, std::string_view name)
{
    return std::string(what) + " " + std::string(name);
}

}  // namespace

Batch::Batch(Table table, std::optional<std::uint32_t> generation) : table_(std::move(table))
{
    NetlinkMessage begin(NFNL_MSG_BATCH_BEGIN, 0);
    nfgenmsg header = family_header(TableFamily{});
    header.nfgen_family = 0;
    header.res_id = htons(NFNL_SUBSYS_NFTABLES);
    begin.put_header(header);
    if (generation)
        begin.put_u32_be(NFNL_BATCH_GENID, *generation);
    append(begin);
    steps_.emplace_back("begin");
}

NetlinkMessage Batch::message(std::uint16_t type, std::uint16_t flags, std::size_t max_bytes) const
{
    NetlinkMessage message(message_type(type), flags, max_bytes);
    message.put_header(family_header(table_.family));
    return message;
}

void Batch::append(NetlinkMessage &message)
{
    complete_ = complete_ && message.complete();
    if (!complete_)
        return;
    last_step_off_ = bytes_.size();
    const auto bytes = message.bytes(static_cast<std::uint32_t>(steps_.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void Batch::add(NetlinkMessage message, std::string step)
{
    append(message);
    steps_.push_back(std::move(step));
}

void Batch::add_table()
{
    NetlinkMessage out = message(NFT_MSG_NEWTABLE, NLM_F_CREATE);
    out.put_string(NFTA_TABLE_NAME, table_.name);
    add(std::move(out), quoted("add table", table_.name));
}

void Batch::add_chain(std::string_view chain)
{
    NetlinkMessage out = message(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    out.put_string(NFTA_CHAIN_TABLE, table_.name);
    out.put_string(NFTA_CHAIN_NAME, chain);
    add(std::move(out), quoted("add chain", chain));
}

void Batch::add_base_chain(std::string_view chain, const BaseChain &base)
{
    NetlinkMessage out = message(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    out.put_string(NFTA_CHAIN_TABLE, table_.name);
    out.put_string(NFTA_CHAIN_NAME, chain);
    out.put_string(NFTA_CHAIN_TYPE, base.type == ChainType::kNat ? "nat" : "filter");
    out.nest(NFTA_CHAIN_HOOK, [&] {
        out.put_u32_be(NFTA_HOOK_HOOKNUM, static_cast<std::uint32_t>(base.hook));
        out.put_u32_be(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(base.priority));
        if (!base.device.empty())
            out.put_string(NFTA_HOOK_DEV, base.device);
    });
    add(std::move(out), quoted("add base chain", chain));
}

void Batch::add_set(const Set &set)
{
    NetlinkMessage out = message(NFT_MSG_NEWSET, NLM_F_CREATE);
    out.put_string(NFTA_SET_TABLE, table_.name);
    out.put_string(NFTA_SET_NAME, set.name);
    out.put_u32_be(NFTA_SET_FLAGS, set.data.empty() ? 0 : NFT_SET_MAP);
    out.put_u32_be(NFTA_SET_KEY_TYPE, type_number(set.key));
    out.put_u32_be(NFTA_SET_KEY_LEN, length_bytes(set.key));
    if (!set.data.empty()) {
        out.put_u32_be(NFTA_SET_DATA_TYPE, type_number(set.data));
        out.put_u32_be(NFTA_SET_DATA_LEN, length_bytes(set.data));
    }
    out.put_u32_be(NFTA_SET_ID, ++next_set_id_);
    out.put(NFTA_SET_USERDATA, as_bytes(set_user_data(set)));
    add(std::move(out), quoted("add set", set.name));
}

void Batch::add_rule(std::string_view chain, std::string_view comment,
                     const std::function<void(Expressions &)> &expressions)
{
    NetlinkMessage out = message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    out.put_string(NFTA_RULE_TABLE, table_.name);
    out.put_string(NFTA_RULE_CHAIN, chain);
    out.nest(NFTA_RULE_EXPRESSIONS, [&] {
        Expressions list(out);
        expressions(list);
    });
    out.put(NFTA_RULE_USERDATA, as_bytes(comment_user_data(comment)));
    add(std::move(out), quoted("add rule to chain", chain));
}

void Batch::delete_rule(std::string_view chain, std::uint64_t handle)
{
    NetlinkMessage out = message(NFT_MSG_DELRULE, 0);
    out.put_string(NFTA_RULE_TABLE, table_.name);
    out.put_string(NFTA_RULE_CHAIN, chain);
    out.put_u64_be(NFTA_RULE_HANDLE, handle);
    add(std::move(out), quoted("delete rule of chain", chain));
}

void Batch::flush_chain(std::string_view chain)
{
    NetlinkMessage out = message(NFT_MSG_DELRULE, 0);
    out.put_string(NFTA_RULE_TABLE, table_.name);
    out.put_string(NFTA_RULE_CHAIN, chain);
    add(std::move(out), quoted("flush chain", chain));
}

void Batch::delete_table()
{
    NetlinkMessage out = message(NFT_MSG_DELTABLE, 0);
    out.put_string(NFTA_TABLE_NAME, table_.name);
    add(std::move(out), quoted("delete table", table_.name));
}

void Batch::delete_chain(std::string_view chain)
{
    NetlinkMessage out = message(NFT_MSG_DELCHAIN, 0);
    out.put_string(NFTA_CHAIN_TABLE, table_.name);
    out.put_string(NFTA_CHAIN_NAME, chain);
    add(std::move(out), quoted("delete chain", chain));
}

void Batch::delete_set(std::string_view set)
{
    NetlinkMessage out = message(NFT_MSG_DELSET, 0);
    out.put_string(NFTA_SET_TABLE, table_.name);
    out.put_string(NFTA_SET_NAME, set);
    add(std::move(out), quoted("delete set", set));
}

void Batch::add_elements(std::string_view set, std::span<const Element> elements)
{
    while (!elements.empty()) {
        std::size_t count = 0;
        std::size_t bytes = 0;
        while (count < elements.size() && bytes < kMaxListBytes)
            bytes += element_bytes(elements[count++]);
        NetlinkMessage out =
            message(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, bytes + kOtherBytes);
        out.put_string(NFTA_SET_ELEM_LIST_TABLE, table_.name);
        out.put_string(NFTA_SET_ELEM_LIST_SET, set);
        out.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
            for (const Element &element : elements.first(count))
                put_element(out, element);
        });
        add(std::move(out), quoted("add to set", set));
        elements = elements.subspan(count);
    }
}

void Batch::delete_elements(std::string_view set, std::span<const Fields> keys)
{
    while (!keys.empty()) {
        const std::size_t count = std::min(keys.size(), kMaxListBytes / kMaxKeyElementBytes);
        NetlinkMessage out =
            message(NFT_MSG_DELSETELEM, 0, count * kMaxKeyElementBytes + kOtherBytes);
        out.put_string(NFTA_SET_ELEM_LIST_TABLE, table_.name);
        out.put_string(NFTA_SET_ELEM_LIST_SET, set);
        out.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
            for (const Fields &key : keys.first(count))
                put_element(out, Element{.key = key, .data = {}, .comment = {}});
        });
        add(std::move(out), quoted("delete from set", set));
        keys = keys.subspan(count);
    }
}

}  // namespace tortie::nft
