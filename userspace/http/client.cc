// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"
#include "http/connection.h"
#include "http/response_reader.h"
#include "http/url.h"

namespace tortie::http {
namespace {

constexpr std::size_t kReadBytes = 16UL * 1024;  // a TLS record

bool is_printable(std::string_view text)
{
    // unsigned: char is signed on x86 and is not on arm64.
    return std::none_of(text.begin(), text.end(),
                        [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

// A token read from a file may hold a line break, which would begin another header.
Result<> check(const Request &request)
{
    for (const Header &header : request.headers) {
        if (!is_printable(header.name) || !is_printable(header.value)) {
            return fail(ErrorKind::kInvalidInput,
                        "net/http: invalid header field value for " + go_quoted(header.name));
        }
    }
    if (!is_printable(request.target) || request.target.find(' ') != std::string::npos)
        return fail(ErrorKind::kInvalidInput, "net/http: invalid URL path");
    return {};
}

bool is_repeatable(const Request &request)
{
    return request.repeatable || request.method == Method::kGet;
}

// `Get "https://10.0.0.1:443/api"`, as Go begins the error of a request.
std::string doing(const Server &server, const Request &request)
{
    std::string text(name_of(request.method));
    std::transform(text.begin() + 1, text.end(), text.begin() + 1,
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    return text + " \"" + (server.tls ? "https://" : "http://") +
           join_host_port(server.host, server.port) + request.target + '"';
}

void append(std::string &out, const Server &server, const Request &request)
{
    const std::string host = join_host_port(server.host, server.port);
    const bool to_proxy = server.proxy && !server.tls;
    out += name_of(request.method);
    out += ' ';
    if (to_proxy)
        out += "http://" + host;
    out += request.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
    if (to_proxy && !server.proxy->user_info.empty())
        out += "Proxy-Authorization: " + basic_authorization(server.proxy->user_info) + "\r\n";
    for (const Header &header : request.headers)
        out += header.name + ": " + header.value + "\r\n";
    if (request.method != Method::kGet || !request.body.empty())
        out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    out += "\r\n";
    out += request.body;
}

// Requests on one connection, until all are answered or it breaks.
class Round {
public:
    Round(Connection &connection, const Limits &limits, Deadline deadline)
        : connection_(connection),
          deadline_(deadline),
          reader_({.header_bytes = limits.header_bytes, .body_bytes = limits.body_bytes})
    {
    }

    void add(const Server &server, const Request &request)
    {
        append(out_, server, request);
        ends_.push_back(out_.size());
    }

    // Success when all are answered; `answers` holds what came either way.
    Result<> run();

    bool has_left(std::size_t index) const { return sent_ >= ends_[index]; }
    bool leaves_connection_usable() const { return reader_.keeps_alive() && !reader_.has_rest(); }

    std::vector<Response> answers;

private:
    Result<short> send_more();
    Result<short> receive_more();
    bool done() const { return answers.size() == ends_.size(); }

    Connection &connection_;
    Deadline deadline_;
    ResponseReader reader_;
    std::string out_;
    std::vector<std::size_t> ends_;  // of each request in out_
    std::size_t sent_ = 0;
};

// Both return what to wait for, 0 when something moved.
Result<short> Round::send_more()
{
    TORTIE_TRY(const Io io, connection_.stream().write(std::string_view(out_).substr(sent_)));
    sent_ += io.bytes;
    return io.wants;
}

Result<short> Round::receive_more()
{
    std::array<char, kReadBytes> buffer{};
    TORTIE_TRY(const Io io, connection_.stream().read(buffer));
    if (io.wants != 0)
        return io.wants;
    if (io.end) {
        TORTIE_TRY(Response last, reader_.at_end());
        answers.push_back(std::move(last));
    }
    reader_.add({buffer.data(), io.bytes});
    while (!done()) {
        TORTIE_TRY(auto answer, reader_.next());
        if (!answer)
            break;
        answers.push_back(*std::move(answer));
        if (!reader_.keeps_alive())
            break;
    }
    if (!done() && !answers.empty() && !reader_.keeps_alive())
        return fail(ErrorKind::kTryAgain, "http: server closed the connection");
    return static_cast<short>(0);
}

Result<> Round::run()
{
    std::optional<Error> write_error;
    while (!done()) {
        short writes = 0;
        if (!write_error && sent_ < out_.size()) {
            auto wants = send_more();
            if (wants)
                writes = *wants;
            else
                write_error = std::move(wants).error();  // an answer may say why: read on
        }
        auto reads = receive_more();
        if (!reads)
            return fail(write_error ? *std::move(write_error) : std::move(reads).error());
        const bool can_write = !write_error && sent_ < out_.size() && writes == 0;
        if (done() || *reads == 0 || can_write)
            continue;
        if (!connection_.wait(static_cast<short>(*reads | writes), deadline_))
            return fail(ErrorKind::kTryAgain, "context deadline exceeded");
    }
    return {};
}

}  // namespace

class Client::Impl {
public:
    Impl(Server server, Limits limits) : server_(std::move(server)), limits_(limits) {}

    std::vector<Result<Response>> exchange(std::span<const Request> requests, Deadline deadline);

private:
    using Outcomes = std::vector<std::optional<Result<Response>>>;

    Result<> connect(Deadline deadline);
    std::optional<Error> go_round(std::span<const Request> requests, Outcomes &outcomes,
                                  std::vector<std::size_t> &open, Deadline deadline);

    Server server_;
    Limits limits_;
    std::unique_ptr<Connection> connection_;
};

Result<> Client::Impl::connect(Deadline deadline)
{
    if (connection_ && !connection_->is_stale())
        return {};
    connection_.reset();
    TORTIE_TRY(connection_, Connection::open(server_, limits_, deadline));
    return {};
}

// Settles what this connection can settle of `open` and leaves in it what may be sent again, with
// the reason.
std::optional<Error> Client::Impl::go_round(std::span<const Request> requests, Outcomes &outcomes,
                                            std::vector<std::size_t> &open, Deadline deadline)
{
    Round round(*connection_, limits_, deadline);
    for (const std::size_t i : open)
        round.add(server_, requests[i]);
    auto ran = round.run();
    if (!ran || !round.leaves_connection_usable())
        connection_.reset();

    std::vector<std::size_t> again;
    for (std::size_t n = 0; n < open.size(); ++n) {
        const Request &request = requests[open[n]];
        if (n < round.answers.size())
            outcomes[open[n]] = std::move(round.answers[n]);
        else if (round.has_left(n) && !is_repeatable(request))
            outcomes[open[n]] = fail(Error(ErrorKind::kUnknownOutcome, ran.error().what())
                                         .within(doing(server_, request)));
        else
            again.push_back(open[n]);
    }
    open = std::move(again);
    return ran ? std::nullopt : std::optional(std::move(ran).error());
}

std::vector<Result<Response>> Client::Impl::exchange(std::span<const Request> requests,
                                                     Deadline deadline)
{
    Outcomes outcomes(requests.size());
    std::vector<std::size_t> open;  // not settled, in order
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (auto fine = check(requests[i]); !fine)
            outcomes[i] = fail(std::move(fine).error().within(doing(server_, requests[i])));
        else
            open.push_back(i);
    }
    // A server may close after any answer. Going on is right as long as each connection brings
    // some; one that brings none is tried once more.
    bool may_be_in_vain = true;
    while (!open.empty()) {
        const std::size_t before = open.size();
        auto connected = connect(deadline);
        const bool reached = connected.has_value();
        const auto error = reached ? go_round(requests, outcomes, open, deadline)
                                   : std::optional(std::move(connected).error());
        if (open.empty())
            break;
        const bool goes_on = reached && error->kind() == ErrorKind::kTryAgain &&
                             !deadline.passed() &&
                             (open.size() < before || std::exchange(may_be_in_vain, false));
        if (goes_on)
            continue;
        for (const std::size_t i : open)
            outcomes[i] = fail(Error(*error).within(doing(server_, requests[i])));
        open.clear();
    }
    std::vector<Result<Response>> results;
    results.reserve(outcomes.size());
    for (auto &outcome : outcomes)
        results.push_back(*std::move(outcome));
    return results;
}

Client::Client(Server server, Limits limits)
    : impl_(std::make_unique<Impl>(std::move(server), limits))
{
}

Client::~Client() = default;
Client::Client(Client &&) noexcept = default;
Client &Client::operator=(Client &&) noexcept = default;

std::vector<Result<Response>> Client::exchange(std::span<const Request> requests, Deadline deadline)
{
    return impl_->exchange(requests, deadline);
}

Result<Response> Client::send(const Request &request, Deadline deadline)
{
    return std::move(impl_->exchange({&request, 1}, deadline).front());
}

std::string_view name_of(Method method)
{
    switch (method) {
    case Method::kPost:
        return "POST";
    case Method::kPut:
        return "PUT";
    case Method::kPatch:
        return "PATCH";
    case Method::kDelete:
        return "DELETE";
    case Method::kGet:
        break;
    }
    return "GET";
}

}  // namespace tortie::http
