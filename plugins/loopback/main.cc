// SPDX-License-Identifier: Apache-2.0
#include "cni/skel.h"
#include "loopback/loopback.h"

int main()
{
    return tortie::cni::run({.name = "loopback",
                             .add = tortie::loopback::add,
                             .del = tortie::loopback::del,
                             .check = tortie::loopback::check,
                             .gc = nullptr,
                             .status = nullptr});
}
