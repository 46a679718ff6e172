// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>

#include "calico/ipam_report.h"
#include "kube/yaml.h"

namespace tortie::calico {
namespace {

using Row = std::vector<std::string>;

// Names and owners come from other people: nothing in them may steer a terminal.
std::string printable(const std::string &text)
{
    std::string clean = text.empty() ? "-" : text;
    for (char &c : clean) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = '?';
    }
    return clean;
}

std::string table(const std::vector<Row> &rows)
{
    std::vector<std::size_t> widths;
    for (const Row &row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], printable(row[i]).size());
    }
    std::string text;
    for (const Row &row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string cell = printable(row[i]);
            line += cell;
            if (i + 1 < row.size())
                line.append(widths[i] - cell.size() + 2, ' ');
        }
        text += line + '\n';
    }
    return text;
}

std::string member(const char *name, const std::string &value)
{
    return kube::json_text(name) + ':' + kube::json_text(value);
}

std::string member(const char *name, std::uint64_t value)
{
    return kube::json_text(name) + ':' + std::to_string(value);
}

template <class T, class Print>
std::string array_of(const char *name, const std::vector<T> &items, Print print)
{
    std::string text = kube::json_text(name) + ":[";
    for (std::size_t i = 0; i < items.size(); ++i)
        text += (i == 0 ? "{" : ",{") + print(items[i]) + '}';
    return text + ']';
}

}  // namespace

std::string report_text(const IpamReport &report)
{
    std::vector<Row> pools = {{"POOL", "CIDR", "STATE", "ADDRESSES", "USED", "COOLING", "BLOCKS"}};
    for (const PoolUsage &pool : report.pools)
        pools.push_back({pool.name, pool.cidr, pool.state, pool.addresses,
                         std::to_string(pool.used), std::to_string(pool.cooling),
                         std::to_string(pool.blocks)});
    std::vector<Row> blocks = {{"BLOCK", "AFFINITY", "USED"}};
    for (const BlockUsage &block : report.blocks)
        blocks.push_back({block.cidr, block.affinity,
                          std::to_string(block.used) + '/' + std::to_string(block.size)});
    std::vector<Row> addresses = {{"ADDRESS", "NODE", "OWNER", "SINCE (UTC)", "HANDLE"}};
    for (const AddressUse &use : report.addresses)
        addresses.push_back({use.ip, use.node, use.owner, use.since, use.handle});
    std::string text = table(pools) + '\n' + table(blocks) + '\n' + table(addresses);
    if (report.waiting_releases > 0)
        text += '\n' + std::to_string(report.waiting_releases) +
                " release(s) of this node wait for a datastore\n";
    return text;
}

std::string report_json(const IpamReport &report)
{
    const auto pool = [](const PoolUsage &each) {
        return member("name", each.name) + ',' + member("cidr", each.cidr) + ',' +
               member("state", each.state) + ',' + member("addresses", each.addresses) + ',' +
               member("used", each.used) + ',' + member("cooling", each.cooling) + ',' +
               member("blocks", each.blocks);
    };
    const auto block = [](const BlockUsage &each) {
        return member("cidr", each.cidr) + ',' + member("affinity", each.affinity) + ',' +
               member("used", each.used) + ',' + member("size", each.size);
    };
    const auto address = [](const AddressUse &each) {
        return member("ip", each.ip) + ',' + member("node", each.node) + ',' +
               member("owner", each.owner) + ',' + member("handle", each.handle) + ',' +
               member("since", each.since);
    };
    return '{' + array_of("pools", report.pools, pool) + ',' +
           array_of("blocks", report.blocks, block) + ',' +
           array_of("addresses", report.addresses, address) + ',' +
           member("waitingReleases", std::uint64_t{report.waiting_releases}) + "}\n";
}

}  // namespace tortie::calico
