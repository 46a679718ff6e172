// SPDX-License-Identifier: Apache-2.0
#include "loader/bpf_object.h"

#include <bpf/libbpf.h>

#include <array>
#include <cassert>
#include <cstdarg>
#include <cstdio>

#include "loader/bpf_error.h"
#include "loader/pins.h"

namespace tortie::loader {
namespace {

std::string *listener = nullptr;

// The verifier's log comes as one message, of any length.
// NOLINTNEXTLINE(cert-dcl50-cpp): libbpf calls it with a va_list
__attribute__((format(printf, 2, 0))) int keep_words(libbpf_print_level level, const char *format,
                                                     va_list arguments)
{
    if (level == LIBBPF_DEBUG || listener == nullptr)
        return 0;
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    if (length > 0) {
        const std::size_t begin = listener->size();
        listener->resize(begin + static_cast<std::size_t>(length) + 1);
        (void)std::vsnprintf(listener->data() + begin, static_cast<std::size_t>(length) + 1, format,
                             again);
        listener->pop_back();
        if (listener->size() > LibbpfWords::kMaxBytes)
            listener->erase(0, listener->size() - LibbpfWords::kMaxBytes);
    }
    va_end(again);
    return 0;
}

std::string pin_name(const bpf_map *map, std::string_view variables)
{
    const std::string_view name = ::bpf_map__name(map);
    if (!::bpf_map__is_internal(map))
        return std::string(name);
    return std::string(name.ends_with(".bss") ? variables : "");
}

}  // namespace

LibbpfWords::LibbpfWords()
{
    assert(listener == nullptr);
    listener = &text_;
    ::libbpf_set_print(keep_words);
}

LibbpfWords::~LibbpfWords()
{
    listener = nullptr;
}

Error open_error(int err, const LibbpfWords &words)
{
    return bpf_error(-err, "open the BPF object", words.text());
}

Result<> load_object(bpf_object *object, std::string &log)
{
    const LibbpfWords words;
    const int result = ::bpf_object__load(object);
    if (result == 0)
        return {};
    log = words.text();
    return fail(
        bpf_error(result, "load BPF object " + std::string(::bpf_object__name(object)), log));
}

Result<> pin_object(bpf_object *object, const PinFolder &folder, std::string_view variables)
{
    const LibbpfWords words;
    bpf_map *map = nullptr;
    bpf_object__for_each_map(map, object)
    {
        const std::string name = pin_name(map, variables);
        if (name.empty())
            continue;
        if (const int err = ::bpf_map__pin(map, folder.map(name).c_str()); err != 0)
            return fail(bpf_error(err, "pin map " + name, words.text()));
    }
    bpf_program *program = nullptr;
    bpf_object__for_each_program(program, object)
    {
        if (::bpf_program__fd(program) < 0)
            continue;
        const std::string name = ::bpf_program__name(program);
        if (const int err = ::bpf_program__pin(program, folder.program(name).c_str()); err != 0)
            return fail(bpf_error(err, "pin program " + name, words.text()));
    }
    return {};
}

}  // namespace tortie::loader
