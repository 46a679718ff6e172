// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "install/folder.h"

namespace tortie::installer {

// Where a node's files are from here: in the installer's container, else on the node itself.
struct NodePaths {
    struct Binaries {
        std::string path;
        std::string record;  // how the record calls it
    };
    std::string net;
    std::vector<Binaries> binaries;
    bool on_node = false;
};

NodePaths find_node_paths();

// The path of a record's name ("bin/calico"); empty for a place that this node does not have.
std::string path_of_record(const NodePaths &paths, const std::string &name);

// Whether a plugin of that type is in one of the directories.
bool has_plugin(const NodePaths &paths, const std::string &type);

// Errors: kNotFound naming it.
Result<Folder> open_configurations(const NodePaths &paths);

}  // namespace tortie::installer
