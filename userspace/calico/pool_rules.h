// SPDX-License-Identifier: Apache-2.0
//
// What makes a pool or a reservation one that can be stored. Source: spec
// calico-ipam-datastore.md 2.1, 3.4, calico-v3.32.1.md 8 row 5: the stricter of the two releases.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie::calico {

struct PoolText {
    std::string cidr;
    std::int64_t block_size = 0;
    std::string ipip_mode;
    std::string vxlan_mode;
    std::string node_selector;
    std::string namespace_selector;
    std::string assignment_mode;
    std::vector<std::string> allowed_uses;
    bool disabled = false;
};

struct PoolDefaults {
    std::int64_t block_size = 0;
};

// Errors, all of them: kInvalidInput "spec.<member>: <why>".
Result<PoolDefaults> defaults_for(const std::string &cidr);
Result<> check_pool(const PoolText &pool);
Result<> check_reservation(std::span<const std::string> cidrs);

// A DNS-1123 subdomain: what the API server takes for a name.
bool is_resource_name(std::string_view name);

}  // namespace tortie::calico
