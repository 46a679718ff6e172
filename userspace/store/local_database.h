// SPDX-License-Identifier: Apache-2.0
//
// The SQLite file behind local.h: its schema, its locks, its words for what went wrong.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "store/key_values.h"

namespace tortie::store {

class Database {
public:
    // Makes what is missing. Whatever happens, a killed process leaves an empty file or a whole
    // datastore. Errors as in local.h.
    static Result<Database> open(const std::string &path, Deadline deadline);

    // Until when locks are waited for from here on.
    void wait_until(Deadline deadline) { *deadline_ = deadline; }

    // Errors: kTryAgain when somebody else writes until the deadline.
    Result<> begin_read() { return run("BEGIN"); }
    Result<> begin_write() { return run("BEGIN IMMEDIATE"); }
    Result<> commit();
    void roll_back();

    // Inside of a transaction.
    Result<std::vector<Entry>> read(const KeyRange &range);
    Result<std::optional<std::string>> version_of(const std::string &name);
    Result<std::string> next_version();  // never given before, not even to what is deleted
    Result<> put(std::string_view kind, const Entry &entry);
    Result<> remove(const std::string &name);

private:
    struct Close {
        void operator()(sqlite3 *db) const { sqlite3_close(db); }
    };
    struct Finalize {
        void operator()(sqlite3_stmt *statement) const { sqlite3_finalize(statement); }
    };
    using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;
    class Row;

    Database(std::string path, Deadline deadline);

    static int on_busy(void *deadline, int attempts);
    static int on_log(void *log_pages, sqlite3 *db, const char *name, int pages);

    Result<> connect();
    Result<> create_file();
    Result<> prepare_schema();
    Result<> create_schema();
    Result<> use_write_ahead_log();
    Result<std::int64_t> number(const char *sql);
    Result<> run(const char *sql);
    Result<Statement> prepare(const char *sql);
    Result<Row> bind(const char *sql, std::initializer_list<std::string_view> texts);
    Error error(std::string_view doing) const;

    std::string path_;
    // SQLite's callbacks have the addresses of these.
    std::unique_ptr<Deadline> deadline_;
    std::unique_ptr<int> log_pages_;  // after the last commit
    std::unique_ptr<sqlite3, Close> db_;
    // By the text of the SQL, which are constants.
    std::vector<std::pair<const char *, Statement>> statements_;
};

}  // namespace tortie::store
