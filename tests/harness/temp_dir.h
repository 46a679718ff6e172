// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tortie::test {

// A directory of its own below the system's temporary one, removed with everything in it.
class TempDir {
public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir &) = delete;
    TempDir &operator=(const TempDir &) = delete;
    TempDir(TempDir &&) = delete;
    TempDir &operator=(TempDir &&) = delete;

    const std::string &path() const { return path_; }
    std::string operator/(const std::string &name) const { return path_ + '/' + name; }

private:
    std::string path_;
};

}  // namespace tortie::test
