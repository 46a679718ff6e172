// SPDX-License-Identifier: Apache-2.0
//
// What comes back from a server: bytes of a connection as answers, and those as answers of the
// Kubernetes API. The first byte of the input says in which pieces the bytes arrive; how they are
// cut must make no difference.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "fuzz/plugin_input.h"
#include "http/response_reader.h"
#include "kube/api_error.h"
#include "kube/json_objects.h"

namespace tortie::fuzz {
namespace {

constexpr http::ResponseReader::Limits kLimits{.header_bytes = 4096, .body_bytes = 65536};

struct Heard {
    std::vector<http::Response> answers;
    bool failed = false;
};

Heard hear(std::string_view bytes, std::size_t piece)
{
    http::ResponseReader reader(kLimits);
    Heard heard;
    while (!bytes.empty() && !heard.failed) {
        reader.add(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
        for (;;) {
            auto answer = reader.next();
            heard.failed = !answer;
            if (!answer || !*answer)
                break;
            require((*answer)->body.size() <= kLimits.body_bytes, "a body is within its limit");
            heard.answers.push_back(*std::move(*answer));
        }
    }
    if (heard.failed)
        return heard;
    auto last = reader.at_end();
    if (last)
        heard.answers.push_back(*std::move(last));
    return heard;
}

void check_answer(const http::Response &answer)
{
    for (const bool writes : {false, true}) {
        const std::string text = kube::error_of(answer, writes).what();
        require(text.size() < 4096, "an error's text is bounded");
        for (const char c : text)
            require(c < 0 || (c >= ' ' && c != 0x7f), "an error's text is one line");
    }
    (void)kube::parse_pod(answer.body).has_value();
    (void)kube::parse_node(answer.body).has_value();
    (void)kube::parse_namespace(answer.body).has_value();
    (void)kube::parse_pods(answer.body).has_value();
    (void)kube::parse_virtual_machine(answer.body).has_value();
    (void)kube::parse_groups(answer.body).has_value();
    (void)kube::parse_version_of_object(answer.body).has_value();
}

void run(std::string_view text)
{
    if (text.empty())
        return;
    const std::size_t piece = 1 + static_cast<unsigned char>(text.front()) % 64;
    text.remove_prefix(1);
    const Heard whole = hear(text, text.size());
    const Heard pieces = hear(text, piece);
    require(whole.answers.size() == pieces.answers.size(), "pieces make no difference");
    for (std::size_t i = 0; i < whole.answers.size(); ++i) {
        require(whole.answers[i].status == pieces.answers[i].status &&
                    whole.answers[i].body == pieces.answers[i].body,
                "pieces make no difference to an answer");
        check_answer(whole.answers[i]);
    }
}

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    tortie::fuzz::run(tortie::fuzz::as_text(data, size));
    return 0;
}
