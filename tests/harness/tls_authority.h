// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace tortie::test {

struct Identity {
    std::string certificate_pem;
    std::string key_pem;
};

// A certificate authority of its own, with EC keys; what it makes is valid for a day.
class TlsAuthority {
public:
    TlsAuthority();
    ~TlsAuthority();
    TlsAuthority(const TlsAuthority &) = delete;
    TlsAuthority &operator=(const TlsAuthority &) = delete;
    TlsAuthority(TlsAuthority &&) = delete;
    TlsAuthority &operator=(TlsAuthority &&) = delete;

    const std::string &pem() const { return pem_; }

    // Names as OpenSSL writes them: "DNS:kubernetes", "IP:127.0.0.1". `expired`: since yesterday.
    Identity issue(const std::vector<std::string> &names, bool expired = false) const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
    std::string pem_;
};

}  // namespace tortie::test
