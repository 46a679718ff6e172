// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tortie::installer {

// The configuration with `"datapath": "<value>"` in the entry of portmap, and every other byte as
// it was; a word that stands there already is replaced. An empty `value` takes the key away when
// it is one that this function wrote. Without an entry of portmap, or when `conflist` is no JSON:
// as it is.
std::string with_datapath(std::string_view conflist, std::string_view value);

// What the key says; empty: it is not there, or there is no portmap.
std::string datapath_in(std::string_view conflist);

}  // namespace tortie::installer
