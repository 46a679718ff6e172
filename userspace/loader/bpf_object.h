// SPDX-License-Identifier: Apache-2.0
//
// One BPF object file, built into the executable as a skeleton of bpftool, on its way into the
// kernel. It is opened (parsed), configured by its owner, loaded, and gone from this process when
// the BpfObject dies; what must stay is pinned before (loader/pins.h).
//
//   TORTIE_TRY(auto object, BpfObject<portmap_bpf>::open());
//   object->rodata->tt_config.hz = 250;              // configure: only before load()
//   TORTIE_DO(object.load());
//   TORTIE_DO(object.pin(folder));
//
// Only a first load of a node gets here: it costs tens of milliseconds. Whoever comes later opens
// the pins and does not parse anything.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct bpf_object;

namespace tortie {

class PinFolder;

namespace loader {

// Everything that libbpf prints while this lives, at most the last kMaxBytes of it; nothing goes
// to stderr. libbpf has one place for a printer a process: one of these at a time, one thread.
class LibbpfWords {
public:
    static constexpr std::size_t kMaxBytes = std::size_t{64} * 1024;

    LibbpfWords();
    ~LibbpfWords();
    LibbpfWords(const LibbpfWords &) = delete;
    LibbpfWords &operator=(const LibbpfWords &) = delete;
    LibbpfWords(LibbpfWords &&) = delete;
    LibbpfWords &operator=(LibbpfWords &&) = delete;

    const std::string &text() const { return text_; }

private:
    std::string text_;
};

// Below BpfObject, for every skeleton.
Result<> load_object(bpf_object *object, std::string &log);
Result<> pin_object(bpf_object *object, const PinFolder &folder, std::string_view variables);
Error open_error(int err, const LibbpfWords &words);

}  // namespace loader

template <class Skeleton>
class [[nodiscard]] BpfObject {
public:
    // Errors: kUnsupported, kSystem; the text ends in what libbpf said.
    static Result<BpfObject> open()
    {
        const loader::LibbpfWords words;
        Skeleton *skeleton = Skeleton::open(nullptr);
        const int err = errno;
        if (skeleton == nullptr)
            return fail(loader::open_error(err, words));
        return BpfObject(skeleton);
    }

    // Maps, programs and `rodata` of the skeleton.
    Skeleton *operator->() const { return skeleton_.get(); }

    // Afterwards the maps exist and the programs have passed the verifier; the file descriptors
    // are this object's. On kernels before 5.11 libbpf raises RLIMIT_MEMLOCK as far as it has to.
    // Errors: kUnsupported when the kernel refuses BPF altogether, else as errno says; the text
    // ends in the verifier's last words, and log() has all of it.
    Result<> load() { return loader::load_object(skeleton_->obj, log_); }

    // What libbpf and the verifier said in load(); empty when all went well.
    const std::string &log() const { return log_; }

    // Pins every map and every loaded program under its own name, and the global variables (.bss)
    // as the map `variables`; empty: not at all. Constants stay with the programs that use them.
    // Errors: kExists when one of the names is taken; those made before it are left.
    Result<> pin(const PinFolder &folder, std::string_view variables = {}) const
    {
        return loader::pin_object(skeleton_->obj, folder, variables);
    }

private:
    struct Destroy {
        void operator()(Skeleton *skeleton) const { Skeleton::destroy(skeleton); }
    };

    explicit BpfObject(Skeleton *skeleton) : skeleton_(skeleton) {}

    std::unique_ptr<Skeleton, Destroy> skeleton_;
    std::string log_;
};

}  // namespace tortie
