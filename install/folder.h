// SPDX-License-Identifier: Apache-2.0
//
// One directory of the host, mounted into the container. What is done in it is done relative to
// the open descriptor and never through a symbolic link.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie::installer {

class Folder {
public:
    // Errors: kNotFound, kSystem; also when it is no directory.
    static Result<Folder> open(const std::string &path);

    // The directory `name` in this one; a symbolic link is none.
    // Errors: kNotFound; kSystem with the cure.
    Result<Folder> open_below(const std::string &name) const;

    const std::string &path() const { return path_; }
    int fd() const { return fd_.get(); }
    std::string path_of(std::string_view name) const { return path_ + '/' + std::string(name); }

    // True when a file can be made here: tried, with one that never has a name where the file
    // system can do that.
    bool is_writable() const;

    // Until the object dies, or the process: other installers wait. No file is left for it.
    // Errors: kTryAgain when another one is still at work after `patience`.
    Result<> lock(std::chrono::milliseconds patience) const;

    // Whether the name leads to something; links are followed.
    bool holds(const std::string &name) const;

    // Regular files only. Errors: kNotFound, kInvalidInput (longer, no regular file), kSystem.
    Result<std::string> read(const std::string &name, std::size_t max_bytes) const;

    // Names, sorted, without "." and "..". Errors: kSystem; kInvalidInput: more than 4096.
    Result<std::vector<std::string>> names() const;

    // Success when it was not there. Errors: kSystem with the cure.
    Result<> remove(const std::string &name) const;

    // What killed installers left under the names of StagedFile.
    void remove_leftovers() const;

    // What was made, renamed or removed here survives a crash of the machine.
    Result<> sync() const;

private:
    Folder(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::string path_;
    UniqueFd fd_;
};

// "open /x: read-only file system (mount the directory into the container writable)": Go's words
// for the number, and what to do about it where that is known.
Error with_cure(int err, std::string_view doing);

// A file of the container itself, where Kubernetes mounts secrets as links: they are followed.
// Errors: kNotFound, kInvalidInput when it is longer than `max_bytes` or no regular file, kSystem.
Result<std::string> read_mounted(const std::string &path, std::size_t max_bytes);

}  // namespace tortie::installer
