// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>
#include <utility>

#include "base/result.h"
#include "calico/call.h"
#include "cni/error.h"

namespace tortie::calico_cni {

// A Result as an answer of a verb, its error with the code of failure():
//   TORTIE_TRY(const auto routes, coded(host_local_routes(config)));
template <class T>
tl::expected<T, cni::CniError> coded(Result<T> result)
{
    if (!result)
        return tl::make_unexpected(failure(result.error()));
    if constexpr (std::is_void_v<T>)
        return {};
    else
        return *std::move(result);
}

}  // namespace tortie::calico_cni
