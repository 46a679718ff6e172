// SPDX-License-Identifier: Apache-2.0
//
// fmt for static linking: Debian's package has the shared object only. format-inl.h defines all
// but two templates that fmt declares `extern` for char; without them a static link fails as
// soon as a number is formatted.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

template auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl<char>(locale_ref) -> char;

}  // namespace detail
FMT_END_NAMESPACE
