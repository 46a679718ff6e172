// SPDX-License-Identifier: Apache-2.0
//
// Result<T>: a value or an Error. Every function of ours that can fail returns one; nothing
// throws. A caller meets an error in one of three ways:
//
//   TORTIE_TRY(const auto link, find_link(name));                  hand it up
//   if (!link && link.error().kind() == ErrorKind::kNotFound) ...  act on one kind
//   return fail(std::move(link).error().within("set mtu of " + name));  say what it was for
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace tortie {

// A kind exists only because some caller acts on it.
enum class ErrorKind {
    kInvalidInput,    // configuration, environment or a file of others is wrong
    kNotFound,        // the object is not there; DEL takes it as done
    kUnsupported,     // this kernel cannot; another backend may
    kTryAgain,        // passing: a lock is held, a dump was interrupted, somebody else was faster
    kExists,          // create: somebody has it already
    kConflict,        // compare-and-swap: it has changed since it was read
    kNotAttempted,    // not done, because something before it in the same request failed
    kUnknownOutcome,  // the answer was lost: look again to learn whether it was done
    kSystem,          // a system call or library failed for another reason
};

class Error {
public:
    Error(ErrorKind kind, std::string what) : kind_(kind), what_(std::move(what)) {}

    // `err` is a positive errno, taken by the caller before anything can overwrite it.
    static Error from_errno(int err, std::string_view doing)
    {
        const char *text = ::strerrordesc_np(err);
        return from_errno(err, doing, text ? text : "unknown error");
    }

    // The same with other words for the number.
    static Error from_errno(int err, std::string_view doing, std::string_view text)
    {
        Error e(kind_of(err), std::string(doing) + ": " + std::string(text));
        e.errno_ = err;
        return e;
    }

    ErrorKind kind() const { return kind_; }
    int sys_errno() const { return errno_; }  // 0 when no system call was involved
    const std::string &what() const { return what_; }

    // Outermost first: "publish 8080/tcp: write nf_tables batch: Operation not permitted".
    Error within(std::string_view doing) &&
    {
        what_.insert(0, std::string(doing) + ": ");
        return std::move(*this);
    }

private:
    static ErrorKind kind_of(int err)
    {
        switch (err) {
        case ENOENT:
        case ENODEV:
        case ESRCH:
        case ENXIO:
            return ErrorKind::kNotFound;
        case EOPNOTSUPP:
        case ENOSYS:
        case EPROTONOSUPPORT:
        case EAFNOSUPPORT:
            return ErrorKind::kUnsupported;
        case EAGAIN:
        case EBUSY:
        case EINTR:
            return ErrorKind::kTryAgain;
        default:
            return ErrorKind::kSystem;
        }
    }

    ErrorKind kind_;
    int errno_ = 0;
    std::string what_;
};

// tl::expected with [[nodiscard]]. libstdc++ 12 offers std::expected in C++23 only and clang 14
// not at all; when both do, this is the one file that changes.
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
    using tl::expected<T, Error>::expected;
};

[[nodiscard]] inline tl::unexpected<Error> fail(Error error)
{
    return tl::unexpected<Error>(std::move(error));
}

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string what)
{
    return fail(Error(kind, std::move(what)));
}

[[nodiscard]] inline tl::unexpected<Error> fail_errno(int err, std::string_view doing)
{
    return fail(Error::from_errno(err, doing));
}

}  // namespace tortie

#define TORTIE_JOIN_(a, b) a##b
#define TORTIE_JOIN(a, b) TORTIE_JOIN_(a, b)

// TORTIE_TRY(auto link, find_link(name)) declares `link` or returns the error. It expands to
// several statements: use it inside braces. It works in any function whose return type can be
// made from tl::unexpected of the error type at hand.
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses.
#define TORTIE_TRY(decl, expr) TORTIE_TRY_(decl, expr, TORTIE_JOIN(tortie_try_, __COUNTER__))
#define TORTIE_TRY_(decl, expr, tmp)                        \
    auto tmp = (expr);                                      \
    if (!tmp)                                               \
        return tl::make_unexpected(std::move(tmp).error()); \
    decl = *std::move(tmp)
// NOLINTEND(bugprone-macro-parentheses)

// TORTIE_DO(attach(link)): the same where there is no value.
#define TORTIE_DO(expr)                                               \
    do {                                                              \
        if (auto tortie_do = (expr); !tortie_do)                      \
            return tl::make_unexpected(std::move(tortie_do).error()); \
    } while (false)
