// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace tortie {

// Publishing a port to 127.0.0.1 needs route_localnet, and that lets neighbours on a link send to
// the node's 127.0.0.0/8: known defect 729 of the Go plugins. Afterwards chain `localnet` of table
// `inet tortie` drops such packets before anything else looks at them, whichever way ports are
// published. It stays. Nothing is written when it is there already.
// Errors: kUnsupported when the kernel has no nf_tables: warn and go on.
Result<> ensure_localnet_guard();

}  // namespace tortie
