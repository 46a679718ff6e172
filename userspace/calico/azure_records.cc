// SPDX-License-Identifier: Apache-2.0
#include "calico/azure_records.h"

#include <string_view>

#include "base/file.h"
#include "calico/json_codec.h"

namespace tortie::calico {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 10;

Result<std::vector<std::string>> read_list(const std::string &path, std::string_view key)
{
    auto content = read_file(path, kMostBytes);
    if (!content && content.error().kind() == ErrorKind::kNotFound)
        return std::vector<std::string>();
    if (!content)
        return fail(std::move(content).error());
    auto list = string_list_at(*content, key);
    if (!list)
        return fail(std::move(list).error().within("read " + path));
    return list;
}

Result<> write_record(const std::string &folder, const std::string &path,
                      const std::string &content)
{
    TORTIE_DO(make_directories(folder, 0755));
    return replace_file(path, content, 0600);
}

}  // namespace

std::string AzureRecords::network_file(const std::string &network) const
{
    return folder_ + '/' + network + "/network.json";
}

std::string AzureRecords::endpoint_file(const std::string &network, const std::string &container_id,
                                        const std::string &ifname) const
{
    return folder_ + '/' + network + '/' + container_id + '-' + ifname;
}

Result<std::vector<std::string>> AzureRecords::subnets(const std::string &network) const
{
    return read_list(network_file(network), "Subnets");
}

Result<> AzureRecords::store_network(const std::string &network,
                                     const std::vector<std::string> &subnets) const
{
    return write_record(folder_ + '/' + network, network_file(network),
                        json_object_of_lists({{"Name", network}, {"Subnets", subnets}}));
}

Result<std::vector<std::string>> AzureRecords::addresses(const std::string &network,
                                                         const std::string &container_id,
                                                         const std::string &ifname) const
{
    return read_list(endpoint_file(network, container_id, ifname), "Addresses");
}

Result<> AzureRecords::store_endpoint(const std::string &network, const std::string &container_id,
                                      const std::string &ifname,
                                      const std::vector<std::string> &addresses) const
{
    return write_record(folder_ + '/' + network, endpoint_file(network, container_id, ifname),
                        json_object_of_lists({{"Network", network},
                                              {"ContainerID", container_id},
                                              {"Interface", ifname},
                                              {"Addresses", addresses}}));
}

Result<> AzureRecords::remove_endpoint(const std::string &network, const std::string &container_id,
                                       const std::string &ifname) const
{
    return remove_file(endpoint_file(network, container_id, ifname));
}

}  // namespace tortie::calico
