// SPDX-License-Identifier: Apache-2.0
#include "harness/tls_authority.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>

namespace tortie::test {
namespace {

constexpr long kDay = 24L * 60 * 60;

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T *object) const
    {
        Free(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;

void require(bool truth)
{
    if (!truth)
        std::abort();  // the tests cannot go on without OpenSSL
}

std::string text_of(BIO &bio)
{
    char *data = nullptr;
    const long size = ::BIO_ctrl(&bio, BIO_CTRL_INFO, 0, static_cast<void *>(&data));
    return {data, data + size};
}

std::string pem_of(X509 &certificate)
{
    const Bio bio(::BIO_new(::BIO_s_mem()));
    require(::PEM_write_bio_X509(bio.get(), &certificate) == 1);
    return text_of(*bio);
}

std::string pem_of(EVP_PKEY &key)
{
    const Bio bio(::BIO_new(::BIO_s_mem()));
    require(::PEM_write_bio_PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) ==
            1);
    return text_of(*bio);
}

void add_extension(X509 &certificate, int nid, const std::string &value)
{
    const Extension extension(::X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
    require(extension && ::X509_add_ext(&certificate, extension.get(), -1) == 1);
}

Certificate blank(EVP_PKEY &key, const char *common_name, long serial, long until)
{
    Certificate made(::X509_new());
    require(made != nullptr);
    ::X509_set_version(made.get(), 2);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), serial);
    ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), -2 * kDay);
    ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), until);
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char *>(common_name), -1, -1, 0);
    ::X509_set_pubkey(made.get(), &key);
    return made;
}

Key new_key()
{
    // What the macro EVP_EC_gen() does, without its cast.
    std::string curve = "P-256";
    Key key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.data()));
    require(key != nullptr);
    return key;
}

}  // namespace

class TlsAuthority::Impl {
public:
    Key key = new_key();
    Certificate certificate = blank(*key, "test authority", 1, kDay);
};

TlsAuthority::TlsAuthority()
{
    ::OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    impl_ = std::make_unique<Impl>();
    X509 &own = *impl_->certificate;
    ::X509_set_issuer_name(&own, ::X509_get_subject_name(&own));
    add_extension(own, NID_basic_constraints, "critical,CA:TRUE");
    require(::X509_sign(&own, impl_->key.get(), ::EVP_sha256()) > 0);
    pem_ = pem_of(own);
}

TlsAuthority::~TlsAuthority() = default;

Identity TlsAuthority::issue(const std::vector<std::string> &names, bool expired) const
{
    const Key key = new_key();
    const Certificate made = blank(*key, "test", 2, expired ? -kDay : kDay);
    ::X509_set_issuer_name(made.get(), ::X509_get_subject_name(impl_->certificate.get()));
    std::string list;
    for (const std::string &name : names)
        list += (list.empty() ? "" : ",") + name;
    if (!list.empty())
        add_extension(*made, NID_subject_alt_name, list);
    require(::X509_sign(made.get(), impl_->key.get(), ::EVP_sha256()) > 0);
    return {pem_of(*made), pem_of(*key)};
}

}  // namespace tortie::test
