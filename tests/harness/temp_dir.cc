// SPDX-License-Identifier: Apache-2.0
#include "harness/temp_dir.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace tortie::test {

TempDir::TempDir() : path_(std::filesystem::temp_directory_path().string() + "/tortie-test-XXXXXX")
{
    if (::mkdtemp(path_.data()) == nullptr) {
        std::perror("mkdtemp");
        std::abort();
    }
}

TempDir::~TempDir()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace tortie::test
