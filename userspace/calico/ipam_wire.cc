// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_wire.h"

#include <array>
#include <utility>

#include "base/strings.h"
#include "calico/record.h"

namespace tortie::calico {
namespace {

// A kind of error is another process's business only where a caller acts on it.
constexpr std::array<std::pair<ErrorKind, std::string_view>, 6> kKinds = {{
    {ErrorKind::kInvalidInput, "invalid"},
    {ErrorKind::kNotFound, "not_found"},
    {ErrorKind::kTryAgain, "try_again"},
    {ErrorKind::kExists, "exists"},
    {ErrorKind::kUnknownOutcome, "unknown_outcome"},
    {ErrorKind::kSystem, "system"},
}};

std::string_view name_of(ErrorKind kind)
{
    for (const auto &[known, name] : kKinds) {
        if (known == kind)
            return name;
    }
    return "system";
}

ErrorKind kind_of(std::string_view name)
{
    for (const auto &[kind, known] : kKinds) {
        if (known == name)
            return kind;
    }
    return ErrorKind::kSystem;
}

void add_map(Record &record, std::string_view name, const kube::StringMap &map)
{
    for (const auto &[key, value] : map)
        record.add(name, std::string(key).append("\n").append(value));
}

kube::StringMap map_of(const Record &record, std::string_view name)
{
    kube::StringMap map;
    for (const std::string &pair : record.all(name)) {
        const std::size_t end = pair.find('\n');
        if (end != std::string::npos)
            map.emplace(pair.substr(0, end), pair.substr(end + 1));
    }
    return map;
}

unsigned number(const Record &record, std::string_view name)
{
    return parse_number<unsigned>(record.first(name)).value_or(0);
}

std::optional<ipam::Address> address_of(std::string_view text)
{
    const auto parts = words(text);
    if (parts.size() != 3)
        return std::nullopt;
    const auto cidr = Cidr::parse(parts[0]);
    const auto block = Cidr::parse(parts[1]);
    const auto sequence = parse_number<std::int64_t>(parts[2]);
    if (!cidr || !block || !sequence || !block->contains(cidr->addr))
        return std::nullopt;
    return ipam::Address{
        .ip = cidr->addr, .prefix = cidr->prefix, .block = *block, .sequence = *sequence};
}

}  // namespace

std::string write_request(const ipam::Request &request)
{
    Record record;
    record.add("handle", request.handle)
        .add("num4", std::to_string(request.num4))
        .add("num6", std::to_string(request.num6))
        .add("max_per_handle", std::to_string(request.max_per_handle))
        .add("max_blocks", std::to_string(request.max_blocks));
    add_map(record, "attribute", request.attributes);
    for (const std::string &pool : request.pools4)
        record.add("pool4", pool);
    for (const std::string &pool : request.pools6)
        record.add("pool6", pool);
    add_map(record, "namespace_label", request.namespace_labels);
    return record.text();
}

Result<ipam::Request> read_request(std::string_view text)
{
    TORTIE_TRY(const Record record, Record::parse(text));
    if (record.first("handle").empty())
        return fail(ErrorKind::kInvalidInput, "a request without a handle");
    return ipam::Request{.handle = record.first("handle"),
                         .attributes = map_of(record, "attribute"),
                         .num4 = number(record, "num4"),
                         .num6 = number(record, "num6"),
                         .pools4 = record.all("pool4"),
                         .pools6 = record.all("pool6"),
                         .specific = std::nullopt,
                         .max_per_handle = number(record, "max_per_handle"),
                         .max_blocks = number(record, "max_blocks"),
                         .namespace_labels = map_of(record, "namespace_label")};
}

std::string write_answer(const Result<Assigned> &answer)
{
    Record record;
    if (!answer) {
        record.add("failure", name_of(answer.error().kind())).add("text", answer.error().what());
        return record.text();
    }
    for (const ipam::Address &address : answer->addresses) {
        const Cidr shown{.addr = address.ip, .prefix = address.prefix};
        record.add("address", shown.to_string() + ' ' + address.block.to_string() + ' ' +
                                  std::to_string(address.sequence));
    }
    return record.text();
}

Result<Assigned> read_answer(std::string_view text)
{
    TORTIE_TRY(const Record record, Record::parse(text));
    if (!record.first("failure").empty())
        return fail(kind_of(record.first("failure")), record.first("text"));
    Assigned assigned;
    for (const std::string &each : record.all("address")) {
        const auto address = address_of(each);
        if (!address)
            return fail(ErrorKind::kInvalidInput, "an answer that cannot be read");
        assigned.addresses.push_back(*address);
    }
    return assigned;
}

}  // namespace tortie::calico
