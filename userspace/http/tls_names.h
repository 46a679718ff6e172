// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

struct x509_store_ctx_st;  // OpenSSL's X509_STORE_CTX

namespace tortie::http {

// Why the certificate that `store` is at is not to be trusted, in the words of Go's x509 package:
// "certificate is valid for kubernetes, 10.96.0.1, not 192.0.2.1".
std::string verdict_text(x509_store_ctx_st &store, const std::string &expected_name);

}  // namespace tortie::http
