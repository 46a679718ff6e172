// SPDX-License-Identifier: Apache-2.0
//
// A TCP connection that never rests: every byte is checked, and the test asks between two changes
// of the node whether it still moves.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "harness/netns.h"

namespace tortie::test {

class LiveStream {
public:
    // Who sends.
    enum class Flow { kUp, kDown, kBothWays };

    // A server at `server_port` in `server`, and a client in `client` that connects to it by the
    // address and port given.
    LiveStream(const Netns &client, const std::string &to, std::uint16_t to_port,
               const Netns &server, std::uint16_t server_port, Flow flow);
    ~LiveStream();
    LiveStream(const LiveStream &) = delete;
    LiveStream &operator=(const LiveStream &) = delete;
    LiveStream(LiveStream &&) = delete;
    LiveStream &operator=(LiveStream &&) = delete;

    // Whether everybody who waits for bytes gets some more of them within three seconds.
    bool moves() const;

    // What has gone wrong, empty when nothing has: wrong bytes, a reset, an end.
    std::string trouble() const;

private:
    struct End {
        UniqueFd socket;
        bool sends = false;
        std::uint64_t sent = 0;
        std::atomic<std::uint64_t> received{0};
    };

    void pump();
    bool send_some(End &end);
    bool receive_some(End &end);

    End client_;
    End server_;
    std::atomic<bool> stop_{false};
    std::atomic<bool> wrong_{false};
    std::atomic<int> error_{0};
    std::thread thread_;
};

}  // namespace tortie::test
