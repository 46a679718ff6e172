// SPDX-License-Identifier: Apache-2.0
#include "http/tls_names.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>
#include <vector>

#include "base/ip_addr.h"
#include "base/strings.h"

namespace tortie::http {
namespace {

constexpr std::size_t kMostNames = 32;  // of a certificate, in one line of log

struct FreeNames {
    void operator()(GENERAL_NAMES *names) const { ::GENERAL_NAMES_free(names); }
};

std::string bytes_of(const ASN1_STRING *text)
{
    const auto *data = ::ASN1_STRING_get0_data(text);
    return {data, data + ::ASN1_STRING_length(text)};
}

// Names and addresses of a certificate as the network sent them: printed only.
std::string subject_names(const X509 *certificate)
{
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES *>(
        ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::vector<std::string> texts;
    const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
    for (int i = 0; i < count && texts.size() < kMostNames; ++i) {
        int type = 0;
        const void *value = ::GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
        if (type != GEN_DNS && type != GEN_IPADD)
            continue;
        const std::string bytes = bytes_of(static_cast<const ASN1_STRING *>(value));
        if (type == GEN_DNS) {
            texts.push_back(bytes);
        } else if (bytes.size() == 4 || bytes.size() == 16) {
            const auto *data = reinterpret_cast<const std::uint8_t *>(bytes.data());
            texts.push_back(IpAddr::from_bytes({data, bytes.size()}).to_string());
        }
    }
    return join(texts, ", ");
}

}  // namespace

std::string verdict_text(X509_STORE_CTX &store, const std::string &expected_name)
{
    const int code = ::X509_STORE_CTX_get_error(&store);
    switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
        const std::string names = subject_names(::X509_STORE_CTX_get0_cert(&store));
        if (names.empty())
            return "certificate is not valid for any names, but wanted to match " + expected_name;
        return "certificate is valid for " + names + ", not " + expected_name;
    }
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "certificate signed by unknown authority";
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "certificate has expired or is not yet valid";
    default:
        return ::X509_verify_cert_error_string(code);
    }
}

}  // namespace tortie::http
