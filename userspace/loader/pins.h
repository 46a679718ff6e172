// SPDX-License-Identifier: Apache-2.0
//
// Where tortie's objects stand in the kernel: pinned in the node's bpffs, one folder an ABI.
//
//   /sys/fs/bpf/tortie/            PinRoot
//     1/                           PinFolder: complete, or not there
//       maps/tt_flows
//       programs/tt_pm_ingress
//       links/tt_pm_ingress-7      tcx only: the program on the device with number 7
//     loading/                     being filled, under the lock; of a killed process, without it
//
// A folder is filled under another name and renamed when it is complete, so nobody ever sees half
// of one, and a process that is killed on the way has done nothing.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie {

class PinFolder {
public:
    explicit PinFolder(std::string path) : path_(std::move(path)) {}

    const std::string &path() const { return path_; }
    std::string map(std::string_view name) const;
    std::string program(std::string_view name) const;
    std::string link(std::string_view name) const;
    std::string links() const { return path_ + "/links"; }

    bool exists() const;

    // The names in links/; none when there is no such folder.
    Result<std::vector<std::string>> link_names() const;

    // Everything in it and the folder itself. Links that are unpinned are detached, maps and
    // programs that nobody else holds are gone. Success when there is none.
    Result<> remove() const;

private:
    std::string path_;
};

// The places on a node, for tests to be others.
struct PinPlaces {
    std::string bpffs = "/sys/fs/bpf";
    std::string lock = "/run/tortie/bpf.lock";  // its folder is made when it is missing
};

class PinRoot {
public:
    explicit PinRoot(PinPlaces places = {}) : places_(std::move(places)) {}

    // Success when bpffs is mounted there. Errors: kUnsupported with what is there instead.
    Result<> check() const;

    PinFolder folder(unsigned abi) const;

    // The ABIs that have a folder, in ascending order. None when bpffs is not mounted.
    Result<std::vector<unsigned>> abis() const;

    // What makes a folder: loads and pins into `fresh`, which has maps/, programs/ and links/ and
    // nothing in them. What it leaves behind when it fails is removed.
    using Fill = std::function<Result<>(const PinFolder &fresh)>;

    // Afterwards the folder of the ABI is there and complete. `fill` runs once a node, however
    // many processes ask at once: in the one that gets the lock first. A folder that a killed
    // process began is begun anew. True when it was this call that made it.
    // Blocks for the lock, at most ten seconds. Privileges: CAP_SYS_ADMIN or CAP_BPF.
    // Errors: kUnsupported without bpffs, kTryAgain when the lock could not be had, else what
    // `fill` said; nothing is left then.
    Result<bool> make(unsigned abi, const Fill &fill) const;

    // Runs `work` with nobody else between make()'s first and last step, and no other
    // exclusively(). Errors: kTryAgain; those of `work`.
    Result<> exclusively(const std::function<Result<>()> &work) const;

private:
    std::string home() const { return places_.bpffs + "/tortie"; }
    Result<> fill_fresh(unsigned abi, const Fill &fill) const;

    PinPlaces places_;
};

}  // namespace tortie
