// SPDX-License-Identifier: Apache-2.0
//
// Small files, read with a limit and replaced as a whole. Nothing here follows a symbolic link in
// the last component: state directories are predictable, and a link in one is an attack.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie {

// The whole content. Errors: kNotFound, kInvalidInput when it is longer than `max_bytes` or not a
// regular file (a FIFO does not block), kSystem.
Result<std::string> read_file(const std::string &path, std::size_t max_bytes);

// The same for a descriptor that is read to its end, from where it stands (stdin, a pipe).
Result<std::string> read_to_end(int fd, std::size_t max_bytes, std::string_view name);

// All of `text`, through short writes and EINTR.
Result<> write_all(int fd, std::string_view text, std::string_view name);

// Readers see the old content or the new one, never half of it: written to `path` + ".tmp",
// renamed over `path`, mode set on the descriptor. On failure `path` is as it was and the
// temporary file is gone; after a kill remove_file() finds it. No fsync: for state that a reboot
// voids anyway.
Result<> replace_file(const std::string &path, std::string_view content, mode_t mode);

// The same for state that must outlive a crash of the machine: content and directory are synced.
// Two writers of one path do not disturb each other. What a kill leaves is named `path` + ".new-"
// and a number.
Result<> replace_file_durably(const std::string &path, std::string_view content, mode_t mode);

// Makes what was created, renamed or removed beside `path` survive a crash of the machine.
Result<> sync_directory_of(const std::string &path);

// Removes `path` and what a killed replace_file() left beside it. Success when nothing was there.
Result<> remove_file(const std::string &path);

// mkdir -p. Directories that exist are left as they are; new ones get `mode` whatever the umask.
Result<> make_directories(const std::string &path, mode_t mode);

// "open /x: no such file or directory": the words of the Go plugins, which users grep.
std::string go_errno_text(int err);

// Error::from_errno() in those words: for the texts that are part of a plugin's interface.
Error go_error(int err, std::string_view doing);

}  // namespace tortie
