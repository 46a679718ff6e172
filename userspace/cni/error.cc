// SPDX-License-Identifier: Apache-2.0
#include "cni/error.h"

#include "cni/json.h"

namespace tortie::cni {

CniError::CniError(const Error &error)
    : code(error.kind() == ErrorKind::kTryAgain ? Code::kTryAgainLater : Code::kUnspecified),
      msg(error.what())
{
}

std::string CniError::to_json() const
{
    JsonWriter object;
    object.set("code", static_cast<std::int64_t>(code)).set("msg", msg);
    if (!details.empty())
        object.set("details", details);
    return object.text(4);
}

}  // namespace tortie::cni
