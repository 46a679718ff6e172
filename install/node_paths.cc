// SPDX-License-Identifier: Apache-2.0
#include "install/node_paths.h"

#include <algorithm>
#include <utility>

#include "install/binary_folder.h"
#include "install/installer.h"
#include "install/settings.h"

namespace tortie::installer {

NodePaths find_node_paths()
{
    NodePaths paths;
    if (Folder::open(kNetFolder)) {
        paths.net = kNetFolder;
        for (const BinaryFolderPath &each : kBinaryFolders)
            paths.binaries.push_back({each.path, each.record});
        return paths;
    }
    paths.net = "/etc/cni/net.d";
    paths.binaries = {{"/opt/cni/bin", "bin"}};
    paths.on_node = true;
    return paths;
}

std::string path_of_record(const NodePaths &paths, const std::string &name)
{
    const std::size_t slash = name.find('/');
    const std::string place = name.substr(0, slash);
    const std::string rest = slash == std::string::npos ? "" : name.substr(slash + 1);
    if (rest.empty() || rest.find("..") != std::string::npos)
        return "";
    if (place == "net.d")
        return paths.net + '/' + rest;
    for (const NodePaths::Binaries &binaries : paths.binaries) {
        if (binaries.record == place)
            return binaries.path + '/' + rest;
    }
    return "";
}

bool has_plugin(const NodePaths &paths, const std::string &type)
{
    return is_file_name(type) && std::any_of(paths.binaries.begin(), paths.binaries.end(),
                                             [&](const NodePaths::Binaries &binaries) {
                                                 const auto folder = Folder::open(binaries.path);
                                                 return folder && folder->holds(type);
                                             });
}

Result<Folder> open_configurations(const NodePaths &paths)
{
    auto folder = Folder::open(paths.net);
    if (!folder)
        return fail(std::move(folder).error().within("the node's CNI configurations"));
    return folder;
}

}  // namespace tortie::installer
