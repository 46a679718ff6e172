// SPDX-License-Identifier: Apache-2.0
#include "sys/iptables.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/strings.h"
#include "base/subprocess.h"

namespace tortie {
namespace {

// Below the callers' lock deadline, so that one stuck child does not fail everybody who waits.
constexpr std::chrono::seconds kChildDeadline{8};

constexpr std::size_t kMaxNamesBytes = 4096;  // of tables

// iptables(8): "resource problem", which is also a lock that was not to be had in time.
constexpr int kResourceProblem = 4;

Iptables::Variant variant_of(const std::string &program)
{
    std::error_code error;
    const std::string real = std::filesystem::canonical(program, error).filename();
    if (error)
        return Iptables::Variant::kUnknown;
    if (real.find("nft") != std::string::npos)
        return Iptables::Variant::kNfTables;
    if (real.find("legacy") != std::string::npos)
        return Iptables::Variant::kLegacy;
    return Iptables::Variant::kUnknown;
}

Result<std::string> run_tool(std::vector<std::string> argv, std::string_view input)
{
    const std::string shown = "running [" + join(argv, " ") + "]";
    Command command;
    command.argv = std::move(argv);
    command.env = minimal_environment();
    command.input = input;
    command.deadline = kChildDeadline;
    auto exit = run_command(command);
    if (!exit)
        return fail(std::move(exit).error().within(shown));
    if (exit->status == 0)
        return std::move(exit->output);
    return fail(exit->status == kResourceProblem ? ErrorKind::kTryAgain : ErrorKind::kSystem,
                shown + ": exit status " + std::to_string(exit->status) + ": " +
                    std::string(trim(exit->diagnostics)));
}

// The first word off the front of `text`, with its quotes when it has some.
std::string_view take_word(std::string_view &text)
{
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::size_t end = 0;
    bool quoted = false;
    for (; end < text.size() && (quoted || text[end] != ' '); end++) {
        if (text[end] == '"')
            quoted = !quoted;
        else if (text[end] == '\\' && end + 1 < text.size())
            end++;
    }
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

}  // namespace

SavedNat::SavedNat(std::string_view text)
{
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with(':')) {
            line.remove_prefix(1);
            chains_.push_back(take_word(line));
        } else if (line.starts_with("-A ")) {
            line.remove_prefix(3);
            const std::string_view chain = take_word(line);
            rules_.push_back({chain, trim(line)});
        }
    }
}

bool SavedNat::has_chain(std::string_view name) const
{
    return std::find(chains_.begin(), chains_.end(), name) != chains_.end();
}

std::vector<std::string_view> SavedNat::rules_of(std::string_view chain) const
{
    std::vector<std::string_view> found;
    for (const Rule &rule : rules_)
        if (rule.chain == chain)
            found.push_back(rule.text);
    return found;
}

std::string_view option_of(std::string_view rule, std::string_view option)
{
    for (std::string_view word = take_word(rule); !word.empty(); word = take_word(rule))
        if (word == option)
            return take_word(rule);
    return {};
}

std::string unquoted(std::string_view word)
{
    if (word.size() < 2 || word.front() != '"' || word.back() != '"')
        return std::string(word);
    word = word.substr(1, word.size() - 2);
    std::string plain;
    for (std::size_t at = 0; at < word.size(); at++) {
        if (word[at] == '\\' && at + 1 < word.size())
            at++;
        plain += word[at];
    }
    return plain;
}

Result<std::string> restore_word(std::string_view word)
{
    if (word.empty())
        return fail(ErrorKind::kInvalidInput, "Bad argument `'");
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::any_of(word.begin(), word.end(), is_control))
        return fail(ErrorKind::kInvalidInput, "control character in an iptables argument");
    if (word.find_first_of(" \"'\\#") == std::string_view::npos)
        return std::string(word);
    std::string quoted = "\"";
    for (const char c : word) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

bool legacy_nat_in_use(Family family)
{
    const auto names = read_file(
        family == Family::kIpv4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names",
        kMaxNamesBytes);
    if (!names)
        return names.error().kind() != ErrorKind::kNotFound;  // no such file: no legacy tables
    const auto tables = words(*names);
    return std::find(tables.begin(), tables.end(), "nat") != tables.end();
}

Result<Iptables> Iptables::find(Family family, std::string_view search_path)
{
    const std::string name = family == Family::kIpv4 ? "iptables" : "ip6tables";
    TORTIE_TRY(const std::string iptables, find_program(name, search_path));
    // The neighbours of `iptables` before anything else in PATH: they are of the same kind.
    const std::string path =
        iptables.substr(0, iptables.rfind('/')) + ':' + std::string(search_path);
    TORTIE_TRY(std::string save, find_program(name + "-save", path));
    TORTIE_TRY(std::string restore, find_program(name + "-restore", path));
    return Iptables(std::move(save), std::move(restore), variant_of(iptables));
}

Result<std::string> Iptables::save_nat() const
{
    return run_tool({save_, "-t", "nat"}, {});
}

Result<> Iptables::restore(std::string_view input) const
{
    TORTIE_TRY([[maybe_unused]] const std::string output,
               run_tool({restore_, "--noflush", "--wait", "5"}, input));
    return {};
}

}  // namespace tortie
