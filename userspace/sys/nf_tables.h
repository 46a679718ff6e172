// SPDX-License-Identifier: Apache-2.0
//
// nf_tables over netlink: reading tables, and changing them in one transaction. What is written
// here reads in `nft list ruleset` as if nft had written it, and nft can load the listing again.
//
// A caller that must not lose a race reads generation() first, then what it needs, and commits a
// batch that carries this generation: when anybody changed nf_tables in between, nothing happens
// and commit() says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "sys/netlink.h"

namespace tortie::nft {

// Values of NFPROTO_*.
enum class TableFamily : std::uint8_t { kInet = 1, kIpv4 = 2, kNetdev = 5, kIpv6 = 10 };

struct Table {
    TableFamily family = TableFamily::kInet;
    std::string name;
};

// nft's numbers for the data types that we use (enum datatypes in its datatype.h): a set carries
// them so that a listing shows addresses and ports instead of bytes.
enum class Type : std::uint8_t {
    kIpv4Addr = 7,
    kIpv6Addr = 8,
    kInetProto = 12,
    kInetService = 13,
    kMark = 19,
};

// The value of a concatenation such as `ipv4_addr . inet_proto . inet_service`: every field
// starts at a multiple of four bytes.
class Fields {
public:
    Fields() = default;
    explicit Fields(std::span<const std::uint8_t> bytes) : bytes_(bytes.begin(), bytes.end()) {}

    Fields &add(const IpAddr &address);
    Fields &add_proto(std::uint8_t protocol);
    Fields &add_port(std::uint16_t port);
    Fields &add_mark(std::uint32_t mark);

    std::span<const std::uint8_t> bytes() const { return bytes_; }

    // Reading, `offset` in bytes; zeros beyond the end.
    IpAddr address(Family family, std::size_t offset) const;
    std::uint8_t proto(std::size_t offset) const;
    std::uint16_t port(std::size_t offset) const;
    std::uint32_t mark(std::size_t offset) const;

    friend bool operator==(const Fields &, const Fields &) = default;
    friend bool operator<(const Fields &a, const Fields &b) { return a.bytes_ < b.bytes_; }

private:
    std::vector<std::uint8_t> bytes_;
};

struct Set {
    std::string name;
    std::vector<Type> key;
    std::vector<Type> data;  // empty: a set, else a map
};

struct Element {
    Fields key;
    Fields data;          // of a map
    std::string comment;  // nft reloads at most 127 bytes
};

constexpr std::size_t kMaxCommentBytes = 127;

struct Rule {
    std::string chain;
    std::uint64_t handle = 0;
    std::string comment;
    std::string jump;  // target of the verdict, when the rule ends in a jump or goto
};

// What a base chain hangs on.
enum class ChainType { kNat, kFilter };
enum class Hook : std::uint8_t { kPrerouting = 0, kOutput = 3, kPostrouting = 4 };
constexpr Hook kNetdevIngress{0};  // hooks of the family netdev are counted on their own
struct BaseChain {
    ChainType type = ChainType::kNat;
    Hook hook = Hook::kPrerouting;
    std::int32_t priority = 0;
    std::string_view device = {};  // of the family netdev
};

class Batch;

class [[nodiscard]] NfTables {
public:
    // Errors: kUnsupported when the kernel has no nf_tables.
    static Result<NfTables> open();

    // Changes with every transaction of anybody in this network namespace.
    // Errors: kUnsupported when the kernel has no nf_tables.
    Result<std::uint32_t> generation();

    // In the order of the chains and inside them. No such table or chain: none.
    Result<std::vector<Rule>> rules(const Table &table, std::string_view chain = {});

    // The same with what each rule does, as the kernel tells it: for rules that others wrote.
    // `restart` as in NetlinkSocket::dump().
    using OnRule = std::function<void(Rule rule, NetlinkAttrs expressions)>;
    Result<> visit_rules(const Table &table, std::string_view chain,
                         const std::function<void()> &restart, const OnRule &each);

    // At constant cost. No such table: no.
    Result<bool> has_chain(const Table &table, std::string_view chain);

    // The chains that packets enter by themselves, of every family and table.
    struct HookedChain {
        TableFamily family = TableFamily::kInet;  // or a value that has no name here
        std::string table;
        std::string chain;
    };
    Result<std::vector<HookedChain>> hooked_chains();

    // Names of the sets and maps. No such table: none.
    Result<std::vector<std::string>> sets(const Table &table);

    struct Question {
        std::string_view set;
        const Fields *key = nullptr;
    };
    // One answer a question, at constant cost; nullopt when there is no such element, set or
    // table.
    Result<std::vector<std::optional<Element>>> find(const Table &table,
                                                     std::span<const Question> questions);

    // The elements of a set that `wanted` says yes to. No such set: none.
    Result<std::vector<Element>> select(const Table &table, std::string_view set,
                                        const std::function<bool(const Element &)> &wanted);

    // All of the batch or nothing; an empty one is success.
    // Errors: kTryAgain (lost the race), kNotFound, kUnsupported; the text names the step.
    Result<> commit(Batch &&batch);

private:
    explicit NfTables(NetlinkSocket socket) : socket_(std::move(socket)) {}

    Result<> dump(NetlinkMessage &message, std::string_view doing,
                  const std::function<void()> &restart, const NetlinkSocket::OnReply &each);
    Result<> ask(const Table &table, std::span<const Question> questions,
                 std::span<std::optional<Element>> answers);

    NetlinkSocket socket_;
};

// Runs `once`, which reads a generation and commits with it, again for as long as somebody else
// was faster (kTryAgain), at most ten seconds.
template <class Once>
auto until_undisturbed(Once &&once) -> decltype(once())
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (true) {
        auto result = once();
        if (result || result.error().kind() != ErrorKind::kTryAgain ||
            std::chrono::steady_clock::now() > deadline)
            return result;
    }
}

}  // namespace tortie::nft
