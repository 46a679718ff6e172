// SPDX-License-Identifier: Apache-2.0
#include "http/response_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <exception>
#include <string>
#include <utility>

#include "base/strings.h"

namespace tortie::http {
namespace {

namespace beast = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr std::size_t kMostShownBytes = 64;

Error not_http(std::string_view why)
{
    return {ErrorKind::kSystem, "malformed HTTP response: " + std::string(why)};
}

// One answer. The base class calls the functions below as it recognizes the parts.
class Parser final : public beast::basic_parser<false> {
public:
    Parser(ResponseReader::Limits limits, bool answers_connect)
    {
        eager(true);
        skip(answers_connect);
        header_limit(static_cast<std::uint32_t>(limits.header_bytes));
        body_limit(limits.body_bytes);
    }

    Response take() { return std::move(response_); }
    unsigned status() const { return response_.status; }

private:
    void on_request_impl(beast::verb /*verb*/, string_view /*text*/, string_view /*target*/,
                         int /*version*/, error_code & /*ec*/) override
    {
    }
    void on_response_impl(int code, string_view /*reason*/, int /*version*/,
                          error_code & /*ec*/) override
    {
        response_.status = static_cast<unsigned>(code);
    }
    void on_field_impl(beast::field name, string_view /*text*/, string_view value,
                       error_code & /*ec*/) override
    {
        if (name == beast::field::content_type)
            response_.content_type.assign(value.data(), value.size());
        else if (name == beast::field::retry_after)
            response_.retry_after.assign(value.data(), value.size());
    }
    void on_header_impl(error_code & /*ec*/) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t> & /*length*/,
                           error_code & /*ec*/) override
    {
    }
    std::size_t on_body_impl(string_view bytes, error_code & /*ec*/) override
    {
        response_.body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t /*size*/, string_view /*extensions*/,
                              error_code & /*ec*/) override
    {
    }
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, string_view bytes,
                                   error_code & /*ec*/) override
    {
        response_.body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_finish_impl(error_code & /*ec*/) override {}

    Response response_;
};

}  // namespace

class ResponseReader::Impl {
public:
    Impl(Limits limits, bool answers_connect) : limits_(limits), answers_connect_(answers_connect)
    {
        begin();
    }

    void add(std::string_view bytes)
    {
        input_.erase(0, std::exchange(used_, 0));
        input_.append(bytes);
    }

    Result<std::optional<Response>> next()
    {
        for (;;) {
            TORTIE_DO(parse());
            if (!parser_->is_done())
                return std::optional<Response>();
            keeps_alive_ = parser_->keep_alive();
            Response response = parser_->take();
            begin();
            if (response.status >= 200 || response.status == 101)
                return std::optional(std::move(response));
        }
    }

    Result<Response> at_end()
    {
        if (!parser_->got_some() && !has_rest())
            return fail(ErrorKind::kTryAgain, "EOF");
        error_code ec;
        parser_->put_eof(ec);
        if (ec || !parser_->is_done())
            return fail(ErrorKind::kTryAgain, "unexpected EOF");
        keeps_alive_ = false;
        return parser_->take();
    }

    bool keeps_alive() const { return keeps_alive_; }
    bool has_rest() const { return used_ < input_.size(); }

private:
    void begin() { parser_ = std::make_unique<Parser>(limits_, answers_connect_); }

    Result<> parse();

    Limits limits_;
    bool answers_connect_;
    std::unique_ptr<Parser> parser_;
    std::string input_;
    std::size_t used_ = 0;
    bool keeps_alive_ = true;
};

Result<> ResponseReader::Impl::parse()
{
    while (has_rest() && !parser_->is_done()) {
        error_code ec;
        const auto taken = parser_->put(
            boost::asio::const_buffer(input_.data() + used_, input_.size() - used_), ec);
        if (ec == beast::error::need_more) {
            used_ += taken;
            return {};
        }
        if (ec == beast::error::body_limit) {
            return fail(ErrorKind::kSystem, "the answer is longer than " +
                                                std::to_string(limits_.body_bytes) + " bytes");
        }
        if (ec == beast::error::header_limit)
            return fail(not_http("header longer than " + std::to_string(limits_.header_bytes)));
        if (ec && !parser_->got_some())
            return fail(not_http(go_quoted(input_.substr(used_, kMostShownBytes))));
        if (ec) {
            const auto shown = std::string_view(input_).substr(used_, kMostShownBytes);
            return fail(not_http(ec.message() + " at " + go_quoted(shown)));
        }
        used_ += taken;
    }
    return {};
}

ResponseReader::ResponseReader(Limits limits, bool answers_connect)
    : impl_(std::make_unique<Impl>(limits, answers_connect))
{
}

ResponseReader::~ResponseReader() = default;

void ResponseReader::add(std::string_view bytes)
{
    impl_->add(bytes);
}

Result<std::optional<Response>> ResponseReader::next()
{
    try {
        return impl_->next();
    } catch (const std::exception &e) {  // Boost throws where its error codes do not reach
        return fail(not_http(e.what()));
    }
}

Result<Response> ResponseReader::at_end()
{
    try {
        return impl_->at_end();
    } catch (const std::exception &e) {
        return fail(not_http(e.what()));
    }
}

bool ResponseReader::keeps_alive() const
{
    return impl_->keeps_alive();
}

bool ResponseReader::has_rest() const
{
    return impl_->has_rest();
}

}  // namespace tortie::http
