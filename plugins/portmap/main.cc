// SPDX-License-Identifier: Apache-2.0
#include "cni/skel.h"
#include "portmap/portmap.h"

int main()
{
    return tortie::cni::run({.name = "portmap",
                             .add = tortie::portmap::add,
                             .del = tortie::portmap::del,
                             .check = tortie::portmap::check,
                             .gc = tortie::portmap::gc,
                             .status = tortie::portmap::status});
}
