// SPDX-License-Identifier: Apache-2.0
#include "sys/nf_tables.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sys/nf_tables_batch.h"
#include "sys/nf_tables_wire.h"

namespace tortie::nft {
namespace {

// Questions in one system call: their answers must fit into the socket's receive buffer.
constexpr std::size_t kQuestionsAtOnce = 64;

constexpr std::size_t kFieldAlignment = 4;

Fields read_value(const std::optional<NetlinkAttr> &attr)
{
    if (!attr)
        return {};
    const auto value = attr->nested().find(NFTA_DATA_VALUE);
    return value ? Fields(value->payload) : Fields();
}

Element read_element(const NetlinkAttrs &attrs)
{
    Element element;
    element.key = read_value(attrs.find(NFTA_SET_ELEM_KEY));
    element.data = read_value(attrs.find(NFTA_SET_ELEM_DATA));
    if (const auto user_data = attrs.find(NFTA_SET_ELEM_USERDATA))
        element.comment = comment_of(as_text(user_data->payload));
    return element;
}

template <class Each>
void for_each_element(const NetlinkReply &reply, Each &&each)
{
    const auto list = reply.attrs<nfgenmsg>().find(NFTA_SET_ELEM_LIST_ELEMENTS);
    if (!list)
        return;
    NetlinkAttrs elements = list->nested();
    while (const auto element = elements.next())
        each(read_element(element->nested()));
}

// The target when the expression is an immediate verdict that jumps.
std::string_view jump_target(const NetlinkAttrs &expression)
{
    const auto name = expression.find(NFTA_EXPR_NAME);
    const auto data = expression.find(NFTA_EXPR_DATA);
    if (!name || !data || name->string() != "immediate")
        return {};
    const auto value = data->nested().find(NFTA_IMMEDIATE_DATA);
    const auto verdict = value ? value->nested().find(NFTA_DATA_VERDICT) : std::nullopt;
    const auto chain = verdict ? verdict->nested().find(NFTA_VERDICT_CHAIN) : std::nullopt;
    return chain ? chain->string() : std::string_view();
}

NetlinkAttrs expressions_of(const NetlinkAttrs &rule)
{
    const auto list = rule.find(NFTA_RULE_EXPRESSIONS);
    return list ? list->nested() : NetlinkAttrs();
}

Rule read_rule(const NetlinkAttrs &attrs)
{
    Rule rule;
    if (const auto chain = attrs.find(NFTA_RULE_CHAIN))
        rule.chain = chain->string();
    if (const auto handle = attrs.find(NFTA_RULE_HANDLE))
        rule.handle = handle->u64_be();
    if (const auto user_data = attrs.find(NFTA_RULE_USERDATA))
        rule.comment = comment_of(as_text(user_data->payload));
    NetlinkAttrs expressions = expressions_of(attrs);
    while (const auto expression = expressions.next())
        rule.jump = jump_target(expression->nested());
    return rule;
}

NetlinkMessage question_message(const Table &table, const NfTables::Question &question)
{
    constexpr std::size_t kMaxBytes = 512;
    NetlinkMessage message(message_type(NFT_MSG_GETSETELEM), 0, kMaxBytes);
    message.put_header(family_header(table.family));
    message.put_string(NFTA_SET_ELEM_LIST_TABLE, table.name);
    message.put_string(NFTA_SET_ELEM_LIST_SET, question.set);
    const auto put_key = [&] { message.put(NFTA_DATA_VALUE, question.key->bytes()); };
    const auto put_element = [&] { message.nest(NFTA_SET_ELEM_KEY, put_key); };
    message.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] { message.nest(NFTA_LIST_ELEM, put_element); });
    return message;
}

bool is_not_found(const Result<> &result)
{
    return !result && result.error().kind() == ErrorKind::kNotFound;
}

// A kernel without nf_tables says EINVAL: nfnetlink has no such subsystem.
Error without_nf_tables(Error error)
{
    if (error.sys_errno() != EINVAL)
        return error;
    return {ErrorKind::kUnsupported, "the kernel has no nf_tables"};
}

}  // namespace

Fields &Fields::add(const IpAddr &address)
{
    const auto bytes = address.bytes_be();
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
}

Fields &Fields::add_proto(std::uint8_t protocol)
{
    bytes_.insert(bytes_.end(), {protocol, 0, 0, 0});
    return *this;
}

Fields &Fields::add_port(std::uint16_t port)
{
    bytes_.insert(bytes_.end(), {static_cast<std::uint8_t>(port >> 8),
                                 static_cast<std::uint8_t>(port & 0xff), 0, 0});
    return *this;
}

Fields &Fields::add_mark(std::uint32_t mark)
{
    std::array<std::uint8_t, sizeof(mark)> bytes{};
    std::memcpy(bytes.data(), &mark, sizeof(mark));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
}

IpAddr Fields::address(Family family, std::size_t offset) const
{
    const std::size_t size = width_bits(family) / 8;
    std::array<std::uint8_t, 16> bytes{};
    if (offset + size <= bytes_.size())
        std::memcpy(bytes.data(), bytes_.data() + offset, size);
    return IpAddr::from_bytes(std::span(bytes).first(size));
}

std::uint8_t Fields::proto(std::size_t offset) const
{
    return offset < bytes_.size() ? bytes_[offset] : 0;
}

std::uint16_t Fields::port(std::size_t offset) const
{
    if (offset + kFieldAlignment > bytes_.size())
        return 0;
    return static_cast<std::uint16_t>(bytes_[offset] << 8 | bytes_[offset + 1]);
}

std::uint32_t Fields::mark(std::size_t offset) const
{
    std::uint32_t mark = 0;
    if (offset + sizeof(mark) <= bytes_.size())
        std::memcpy(&mark, bytes_.data() + offset, sizeof(mark));
    return mark;
}

Result<NfTables> NfTables::open()
{
    TORTIE_TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_NETFILTER));
    return NfTables(std::move(socket));
}

Result<std::uint32_t> NfTables::generation()
{
    NetlinkMessage message(message_type(NFT_MSG_GETGEN), 0);
    message.put_header(family_header(TableFamily::kInet));
    std::uint32_t generation = 0;
    const auto asked =
        socket_.query(message, "read nf_tables generation", [&](const NetlinkReply &reply) {
            if (const auto id = reply.attrs<nfgenmsg>().find(NFTA_GEN_ID))
                generation = id->u32_be();
        });
    if (!asked)
        return fail(without_nf_tables(asked.error()));
    return generation;
}

Result<> NfTables::dump(NetlinkMessage &message, std::string_view doing,
                        const std::function<void()> &restart, const NetlinkSocket::OnReply &each)
{
    const auto dumped = socket_.dump(message, doing, restart, each);
    if (is_not_found(dumped)) {
        restart();
        return {};
    }
    if (!dumped)
        return fail(without_nf_tables(dumped.error()));
    return {};
}

Result<> NfTables::visit_rules(const Table &table, std::string_view chain,
                               const std::function<void()> &restart, const OnRule &each)
{
    NetlinkMessage message(message_type(NFT_MSG_GETRULE), 0);
    message.put_header(family_header(table.family));
    message.put_string(NFTA_RULE_TABLE, table.name);
    if (!chain.empty())
        message.put_string(NFTA_RULE_CHAIN, chain);
    return dump(message, "list rules of " + table.name, restart, [&](const NetlinkReply &reply) {
        const auto attrs = reply.attrs<nfgenmsg>();
        each(read_rule(attrs), expressions_of(attrs));
    });
}

Result<std::vector<Rule>> NfTables::rules(const Table &table, std::string_view chain)
{
    std::vector<Rule> rules;
    TORTIE_DO(visit_rules(
        table, chain, [&] { rules.clear(); },
        [&](Rule rule, NetlinkAttrs) { rules.push_back(std::move(rule)); }));
    return rules;
}

Result<bool> NfTables::has_chain(const Table &table, std::string_view chain)
{
    NetlinkMessage message(message_type(NFT_MSG_GETCHAIN), 0);
    message.put_header(family_header(table.family));
    message.put_string(NFTA_CHAIN_TABLE, table.name);
    message.put_string(NFTA_CHAIN_NAME, chain);
    bool found = false;
    const auto asked = socket_.query(message, "look up chain " + std::string(chain),
                                     [&](const NetlinkReply &) { found = true; });
    if (!asked && !is_not_found(asked))
        return fail(without_nf_tables(asked.error()));
    return found;
}

Result<std::vector<NfTables::HookedChain>> NfTables::hooked_chains()
{
    NetlinkMessage message(message_type(NFT_MSG_GETCHAIN), 0);
    message.put_header(family_header(TableFamily{}));  // NFPROTO_UNSPEC: all
    std::vector<HookedChain> chains;
    const auto note = [&](const NetlinkReply &reply) {
        const NetlinkAttrs attrs = reply.attrs<nfgenmsg>();
        const auto table = attrs.find(NFTA_CHAIN_TABLE);
        const auto chain = attrs.find(NFTA_CHAIN_NAME);
        if (table && chain && attrs.find(NFTA_CHAIN_HOOK))
            chains.push_back(
                {.family = static_cast<TableFamily>(reply.header<nfgenmsg>().nfgen_family),
                 .table = std::string(table->string()),
                 .chain = std::string(chain->string())});
    };
    TORTIE_DO(dump(
        message, "list chains", [&] { chains.clear(); }, note));
    return chains;
}

Result<std::vector<std::string>> NfTables::sets(const Table &table)
{
    NetlinkMessage message(message_type(NFT_MSG_GETSET), 0);
    message.put_header(family_header(table.family));
    message.put_string(NFTA_SET_TABLE, table.name);
    std::vector<std::string> names;
    TORTIE_DO(dump(
        message, "list sets of " + table.name, [&] { names.clear(); },
        [&](const NetlinkReply &reply) {
            if (const auto name = reply.attrs<nfgenmsg>().find(NFTA_SET_NAME))
                names.emplace_back(name->string());
        }));
    return names;
}

Result<std::vector<Element>> NfTables::select(const Table &table, std::string_view set,
                                              const std::function<bool(const Element &)> &wanted)
{
    NetlinkMessage message(message_type(NFT_MSG_GETSETELEM), 0);
    message.put_header(family_header(table.family));
    message.put_string(NFTA_SET_ELEM_LIST_TABLE, table.name);
    message.put_string(NFTA_SET_ELEM_LIST_SET, set);
    std::vector<Element> elements;
    const auto keep = [&](Element element) {
        if (wanted(element))
            elements.push_back(std::move(element));
    };
    TORTIE_DO(dump(
        message, "list set " + std::string(set), [&] { elements.clear(); },
        [&](const NetlinkReply &reply) { for_each_element(reply, keep); }));
    return elements;
}

Result<std::vector<std::optional<Element>>> NfTables::find(const Table &table,
                                                           std::span<const Question> questions)
{
    std::vector<std::optional<Element>> answers(questions.size());
    for (std::size_t done = 0; done < questions.size(); done += kQuestionsAtOnce) {
        const std::size_t count = std::min(kQuestionsAtOnce, questions.size() - done);
        TORTIE_DO(
            ask(table, questions.subspan(done, count), std::span(answers).subspan(done, count)));
    }
    return answers;
}

Result<> NfTables::ask(const Table &table, std::span<const Question> questions,
                       std::span<std::optional<Element>> answers)
{
    std::vector<std::uint8_t> bytes;
    std::uint32_t first = 0;
    for (const Question &question : questions) {
        NetlinkMessage message = question_message(table, question);
        const std::uint32_t sequence = socket_.next_sequence();
        first = first == 0 ? sequence : first;
        const auto more = message.bytes(sequence);
        bytes.insert(bytes.end(), more.begin(), more.end());
    }

    std::size_t ended = 0;
    std::optional<Error> error;
    const auto on_reply = [&](const NetlinkReply &reply) {
        const std::size_t at = reply.sequence - first;
        if (at >= answers.size())
            return;
        ++ended;
        for_each_element(reply, [&](Element element) { answers[at] = std::move(element); });
    };
    const auto on_ack = [&](const NetlinkAck &ack) {
        ++ended;
        if (ack.error != 0 && ack.error != ENOENT)
            error = without_nf_tables(Error::from_errno(ack.error, "look up in " + table.name));
    };
    TORTIE_DO(socket_.exchange(bytes, "look up in " + table.name, on_reply, on_ack));
    if (error)
        return fail(*std::move(error));
    if (ended < questions.size())
        return fail(ErrorKind::kSystem, "look up in " + table.name + ": answers are missing");
    return {};
}

Result<> NfTables::commit(Batch &&batch)
{
    if (batch.empty())
        return {};
    // The kernel acknowledges a batch only where it is asked to: at its last step.
    auto &bytes = batch.bytes_;
    nlmsghdr last{};
    std::memcpy(&last, bytes.data() + batch.last_step_off_, sizeof(last));
    last.nlmsg_flags |= NLM_F_ACK;
    std::memcpy(bytes.data() + batch.last_step_off_, &last, sizeof(last));
    NetlinkMessage end(NFNL_MSG_BATCH_END, 0);
    nfgenmsg header{};
    header.res_id = htons(NFNL_SUBSYS_NFTABLES);
    end.put_header(header);
    batch.add(std::move(end), "end");
    if (!batch.complete_)
        return fail(ErrorKind::kInvalidInput, "nf_tables: a step is too long");

    bool acknowledged = false;
    std::optional<Error> error;
    const auto on_ack = [&](const NetlinkAck &ack) {
        acknowledged = acknowledged || ack.error == 0;
        if (ack.error == 0 || error)
            return;
        const std::string step =
            ack.sequence < batch.steps_.size() ? batch.steps_[ack.sequence] : std::string("batch");
        if (ack.error == ERESTART)
            error = Error(ErrorKind::kTryAgain, "nf_tables: somebody else changed it meanwhile");
        else
            error = Error::from_errno(ack.error, "nf_tables: " + step);
    };
    TORTIE_DO(socket_.exchange(
        bytes, "nf_tables: send the transaction", [](const NetlinkReply &) {}, on_ack));
    if (error)
        return fail(*std::move(error));
    if (!acknowledged)
        return fail(ErrorKind::kSystem, "nf_tables: the kernel did not answer");
    return {};
}

}  // namespace tortie::nft
