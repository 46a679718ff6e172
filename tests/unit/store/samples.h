// SPDX-License-Identifier: Apache-2.0
//
// Documents as Calico's programs write them, from the files beside this one (spec
// calico-ipam-datastore.md section 4).
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "store/codec.h"

namespace tortie::store {

// The whole of samples/<name>.json.
nlohmann::json samples(const std::string &name);

// The objects of that kind in crd_v1 or crd_v3.
std::vector<nlohmann::json> samples_of(const std::string &name, const std::string &kind);

inline Cidr cidr(const std::string &text)
{
    return Cidr::parse(text).value();
}

}  // namespace tortie::store
