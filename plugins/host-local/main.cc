// SPDX-License-Identifier: Apache-2.0
#include "cni/skel.h"
#include "host-local/host_local.h"

int main()
{
    using namespace tortie;  // NOLINT(google-build-using-namespace): a table and nothing else
    return cni::run({.name = "host-local",
                     .add = host_local::add,
                     .del = host_local::del,
                     .check = host_local::check,
                     .gc = host_local::gc,
                     .status = host_local::status});
}
