// SPDX-License-Identifier: Apache-2.0
//
// A new version of one file: complete, checked and on the disk under another name in the same
// directory, then put in place in one step. Whoever reads the file meanwhile, and whoever comes
// after a kill or a crash of the machine, finds the whole old version or the whole new one.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "install/folder.h"

namespace tortie::installer {

// ".calico.tortie-new": no CNI loader reads it, and the next installer finds it.
std::string staging_name(std::string_view name);
bool is_staging_name(std::string_view name);

// Invariants:
//   I1  before put_in_place() the target is as it was
//   I2  the destructor leaves nothing under the staging name
class [[nodiscard]] StagedFile {
public:
    // Written, read back, synced; owner root, mode `mode`, the SELinux label of the file that it
    // will replace. `folder` must outlive it.
    // Errors: kInvalidInput when the target is a symbolic link or no regular file; kSystem, with
    // the cure where there is one; kTryAgain when what was read back is not what was written.
    static Result<StagedFile> write(const Folder &folder, const std::string &name,
                                    std::string_view content, mode_t mode);

    // A second name for the same bytes; written out where the file system has no hard links.
    static Result<StagedFile> link(const StagedFile &first, const std::string &name,
                                   std::string_view content, mode_t mode);

    ~StagedFile();
    StagedFile(StagedFile &&other) noexcept;
    StagedFile &operator=(StagedFile &&) = delete;
    StagedFile(const StagedFile &) = delete;
    StagedFile &operator=(const StagedFile &) = delete;

    const std::string &name() const { return name_; }

    // Not yet sure to survive a crash of the machine: Folder::sync() makes it so.
    // Errors: kSystem, with the cure; the target is as it was then.
    Result<> put_in_place();

    // The target is as it was before put_in_place(), where the file system can swap files; does
    // nothing elsewhere.
    void take_back();

private:
    enum class State { kStaged, kSwapped, kCreated, kReplaced };

    StagedFile(const Folder &folder, std::string name)
        : folder_(&folder), name_(std::move(name)), staging_(staging_name(name_))
    {
    }
    Result<> fill(std::string_view content, mode_t mode) const;

    const Folder *folder_;  // nullptr: moved from
    std::string name_;
    std::string staging_;
    State state_ = State::kStaged;
};

// All of the above for one file. A file that is already like this is left alone.
Result<> replace_file_in(const Folder &folder, const std::string &name, std::string_view content,
                         mode_t mode);

// True when `name` is a regular file with that content and those mode bits.
bool is_like(const Folder &folder, const std::string &name, std::string_view content, mode_t mode);

// Errors: kInvalidInput when something other than a regular file stands there.
Result<> require_replaceable(const Folder &folder, const std::string &name);

}  // namespace tortie::installer
