// SPDX-License-Identifier: Apache-2.0
#include "loader/bpf_error.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>

#include "base/strings.h"

namespace tortie {
namespace {

// What fits into one line of a log that people read: the verifier's last words are the cause, the
// program that it printed before is not.
constexpr std::size_t kWordsInText = 400;

std::string last_words(std::string_view words)
{
    words = trim(words);
    if (words.size() > kWordsInText)
        words.remove_prefix(words.size() - kWordsInText);
    std::string line(words);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

}  // namespace

Error bpf_error(int negative_errno, std::string_view doing, std::string_view words)
{
    Error error = Error::from_errno(-negative_errno, doing);
    const bool refused = -negative_errno == EPERM || -negative_errno == E2BIG;
    if (!refused && trim(words).empty())
        return error;
    std::string text = error.what();
    if (!trim(words).empty())
        text.append(" (").append(last_words(words)).append(")");
    return {refused ? ErrorKind::kUnsupported : error.kind(), std::move(text)};
}

}  // namespace tortie
