// SPDX-License-Identifier: Apache-2.0
//
// etcd's certificates: from the mounted secret to calico-tls/ beside the network configuration.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "install/conflist.h"
#include "install/folder.h"
#include "install/record.h"

namespace tortie::installer {

// Contents of those of etcd-ca, etcd-cert and etcd-key that `folder` holds; secrets.
using EtcdAssets = std::map<std::string, std::string>;

// Empty when there is no such directory or none of the three in it.
// Errors: one is there and cannot be read.
Result<EtcdAssets> read_etcd_assets(const std::string &folder);

// How the configuration names them: "<net_dir>/calico-tls/etcd-cert".
EtcdFiles etcd_files(const EtcdAssets &assets, const std::string &net_dir);

// All of them whole on the disk before the first is put in place; mode 0600, the directory 0700.
// Errors: kSystem with the cure, kInvalidInput for what may not be replaced.
Result<> write_etcd_assets(const Folder &net_folder, const EtcdAssets &assets, Record &record);

// What earlier runs have left in calico-tls/ and is not among `assets`; failures are logged.
void remove_other_etcd_assets(const Folder &net_folder, const EtcdAssets &assets);

}  // namespace tortie::installer
