// SPDX-License-Identifier: Apache-2.0
//
// The node's own iptables programs and what they say about table nat. There are two kinds in the
// field, over nf_tables and over the legacy tables, that do not see each other's rules: the one
// that `iptables` in the caller's PATH is counts, because everybody else on the node uses it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"

namespace tortie {

// Table nat as iptables-save prints it. Views into the text that it was read from.
class SavedNat {
public:
    struct Rule {
        std::string_view chain;
        std::string_view text;  // what follows "-A <chain> ", in the words of iptables-save
    };

    SavedNat() = default;
    explicit SavedNat(std::string_view text);

    bool has_chain(std::string_view name) const;
    const std::vector<std::string_view> &chains() const { return chains_; }

    // In order, all chains.
    const std::vector<Rule> &rules() const { return rules_; }

    // Those of one chain, in order.
    std::vector<std::string_view> rules_of(std::string_view chain) const;

private:
    std::vector<std::string_view> chains_;
    std::vector<Rule> rules_;
};

// The word after `option` in a rule, as iptables-save quoted it; empty when it is not there.
// Words inside quotes are not taken for options.
std::string_view option_of(std::string_view rule, std::string_view option);

// What a word stands for: without quotes around it and backslashes before quotes inside.
std::string unquoted(std::string_view word);

// A word for a line of iptables-restore: in quotes when it needs them.
// Errors: kInvalidInput for control characters, which would end the line, and for the empty word,
// which iptables refuses.
Result<std::string> restore_word(std::string_view word);

// The legacy nat table exists in this network namespace; true also when it cannot be told. That is
// all that can be seen of it without a child process.
bool legacy_nat_in_use(Family family);

class Iptables {
public:
    enum class Variant { kNfTables, kLegacy, kUnknown };

    // The programs of one family, in the directories of `search_path` (as in PATH) and the usual
    // ones. Errors: kNotFound.
    static Result<Iptables> find(Family family, std::string_view search_path);

    // By the name of the executable behind the links. kUnknown for wrappers.
    Variant variant() const { return variant_; }

    // One child. The text for SavedNat. Errors: as restore().
    Result<std::string> save_nat() const;

    // One child. Applies all of `input` (iptables-restore's language, from *nat to COMMIT) or none
    // of it; chains that `input` does not name stay as they are. Waits 5 s for xtables.lock.
    // Errors: kTryAgain when the lock or a resource was not to be had or the child did not end in
    // time, kSystem with the tool's own words otherwise:
    // "running [/usr/sbin/iptables-restore --noflush --wait 5]: exit status 1: ...".
    Result<> restore(std::string_view input) const;

private:
    Iptables(std::string save, std::string restore, Variant variant)
        : save_(std::move(save)), restore_(std::move(restore)), variant_(variant)
    {
    }

    std::string save_;     // path
    std::string restore_;  // path
    Variant variant_;
};

}  // namespace tortie
