// SPDX-License-Identifier: Apache-2.0
#include "store/local_database.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"
#include "store/codec.h"
#include "store/names.h"

namespace tortie::store {
namespace {

constexpr std::int64_t kApplicationId = 0x746f7274;  // "tort"
constexpr std::int64_t kSchemaVersion = 1;

// Pages of 4 KiB after which the log is moved into the file, which costs two fsync; and the first
// process of a while reads the whole log before anything else. With 8 pages a pod and a process a
// pod the sum of both is least about here: 0.2 ms of each for a pod on the average.
constexpr int kLogPages = 256;

// `kind` is for people; names tell the kind already. A version is never used twice, so a document
// that was removed and made again is not taken for the one that was read.
constexpr const char *kSchema =
    "CREATE TABLE documents("
    "  kind TEXT NOT NULL, name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL,"
    "  version INTEGER NOT NULL) STRICT;"
    "CREATE TABLE revision(last INTEGER NOT NULL) STRICT;"
    "INSERT INTO revision VALUES (1);"
    "PRAGMA application_id = 1953460852;"
    "PRAGMA user_version = 1;";
static_assert(kApplicationId == 1953460852);

std::string text_of_column(sqlite3_stmt *statement, int column)
{
    const auto *text = reinterpret_cast<const char *>(sqlite3_column_text(statement, column));
    const int length = sqlite3_column_bytes(statement, column);
    return text == nullptr ? std::string() : std::string(text, static_cast<std::size_t>(length));
}

ErrorKind kind_of(int code)
{
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? ErrorKind::kTryAgain : ErrorKind::kSystem;
}

std::string words_of(sqlite3 *db, int code)
{
    switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "somebody else holds it";
    case SQLITE_FULL:
        return "no space left on its file system";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "the file is damaged or not a datastore of tortie";
    case SQLITE_READONLY:
        return "the file or its file system is read-only";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        break;
    default:
        return sqlite3_errmsg(db);
    }
    const int err = sqlite3_system_errno(db);
    return err == 0 ? sqlite3_errmsg(db) : go_errno_text(err);
}

}  // namespace

// A bound statement that gives rows; it is ready for the next use when this ends.
class Database::Row {
public:
    explicit Row(sqlite3_stmt *statement) : statement_(statement) {}
    Row(Row &&other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
    Row &operator=(Row &&) = delete;
    Row(const Row &) = delete;
    Row &operator=(const Row &) = delete;
    ~Row()
    {
        if (statement_ == nullptr)
            return;
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }

    int step() { return sqlite3_step(statement_); }
    std::string text(int column) { return text_of_column(statement_, column); }
    std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }

private:
    sqlite3_stmt *statement_;
};

Database::Database(std::string path, Deadline deadline)
    : path_(std::move(path)),
      deadline_(std::make_unique<Deadline>(deadline)),
      log_pages_(std::make_unique<int>(0))
{
}

Error Database::error(std::string_view doing) const
{
    const int code = db_ ? sqlite3_errcode(db_.get()) & 0xff : SQLITE_NOMEM;
    return Error(kind_of(code), "local datastore " + path_ + ": " + std::string(doing) + ": " +
                                    words_of(db_.get(), code));
}

// Short waits: a commit takes a fraction of a millisecond.
int Database::on_busy(void *deadline, int attempts)
{
    if (static_cast<const Deadline *>(deadline)->passed())
        return 0;
    const long wait_us = attempts < 8 ? 250 : 2000;
    const timespec wait = {0, wait_us * 1000};
    ::ppoll(nullptr, 0, &wait, nullptr);
    return 1;
}

int Database::on_log(void *log_pages, sqlite3 *, const char *, int pages)
{
    *static_cast<int *>(log_pages) = pages;
    return SQLITE_OK;
}

Result<> Database::commit()
{
    TORTIE_DO(run("COMMIT"));
    // SQLite's own way only starts the log over in the process that moved it; ours end before
    // that, and the log would grow for ever. Whoever still reads it makes this fail: the next
    // commit tries again.
    if (*log_pages_ >= kLogPages) {
        wait_until(Deadline::in(std::chrono::milliseconds(0)));
        sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    }
    return {};
}

Result<Database> Database::open(const std::string &path, Deadline deadline)
{
    Database database(path, deadline);
    if (::access(path.c_str(), F_OK) != 0)
        TORTIE_DO(database.create_file());
    TORTIE_DO(database.connect());
    TORTIE_DO(database.prepare_schema());
    return database;
}

// Not left to SQLite: it would take the mode from the umask.
Result<> Database::create_file()
{
    const std::size_t slash = path_.rfind('/');
    if (slash != std::string::npos && slash > 0)
        TORTIE_DO(make_directories(path_.substr(0, slash), 0700));
    const UniqueFd fd(
        ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!fd.valid())
        return fail(go_error(errno, "local datastore " + path_ + ": create"));
    return {};
}

Result<> Database::connect()
{
    sqlite3 *db = nullptr;
    const int code =
        sqlite3_open_v2(path_.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    db_.reset(db);
    if (code != SQLITE_OK)
        return fail(error("open"));
    sqlite3_busy_handler(db, &on_busy, deadline_.get());
    sqlite3_wal_hook(db, &on_log, log_pages_.get());
    // The last one out would move the log and fsync twice, and with one pod after the other every
    // process is the last.
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    return run("PRAGMA synchronous = NORMAL");
}

Result<> Database::prepare_schema()
{
    TORTIE_TRY(std::int64_t version, number("PRAGMA user_version"));
    if (version == 0) {
        TORTIE_DO(create_schema());
        TORTIE_TRY(version, number("PRAGMA user_version"));
    }
    TORTIE_TRY(const std::int64_t application, number("PRAGMA application_id"));
    if (application != kApplicationId)
        return fail(ErrorKind::kSystem,
                    "local datastore " + path_ + ": is not a datastore of tortie");
    if (version != kSchemaVersion)
        return fail(ErrorKind::kSystem, "local datastore " + path_ + ": has schema " +
                                            std::to_string(version) +
                                            ", made by another release of tortie");
    return {};
}

// SQLite does not call the busy handler for this one.
Result<> Database::use_write_ahead_log()
{
    for (int attempts = 0;; ++attempts) {
        Result<> done = run("PRAGMA journal_mode = WAL");
        if (done || done.error().kind() != ErrorKind::kTryAgain)
            return done;
        if (on_busy(deadline_.get(), attempts) == 0)
            return done;
    }
}

Result<> Database::create_schema()
{
    ClusterInformation information;
    information.datastore_ready = true;
    const Write first{Op::kCreate, ClusterInformationKey{}, information, {}, 0};
    std::vector<Change> changes;
    if (const auto unfit = changes_of({&first, 1}, changes))
        return fail(unfit->front().error());
    TORTIE_DO(use_write_ahead_log());
    TORTIE_DO(begin_write());
    const Result<std::int64_t> tables = number("SELECT count(*) FROM sqlite_schema");
    if (!tables || *tables != 0) {  // somebody was faster, or the file is another program's
        roll_back();
        return tables ? Result<>() : fail(tables.error());
    }
    Result<> done = run(kSchema);
    if (done)
        done = put("ClusterInformation", {changes[0].path, changes[0].value, "1"});
    if (done)
        done = commit();
    if (!done)
        roll_back();
    return done;
}

Result<> Database::run(const char *sql)
{
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        return fail(error(std::string_view(sql).substr(0, 24)));
    return {};
}

void Database::roll_back()
{
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<Database::Statement> Database::prepare(const char *sql)
{
    sqlite3_stmt *statement = nullptr;
    if (sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
        SQLITE_OK)
        return fail(error("read"));
    return Statement(statement);
}

Result<std::int64_t> Database::number(const char *sql)
{
    TORTIE_TRY(const Statement statement, prepare(sql));
    if (sqlite3_step(statement.get()) != SQLITE_ROW)
        return fail(error("read"));
    return sqlite3_column_int64(statement.get(), 0);
}

// The texts must outlive the row.
Result<Database::Row> Database::bind(const char *sql, std::initializer_list<std::string_view> texts)
{
    sqlite3_stmt *statement = nullptr;
    for (const auto &[known, prepared] : statements_) {
        if (known == sql)
            statement = prepared.get();
    }
    if (statement == nullptr) {
        TORTIE_TRY(Statement made, prepare(sql));
        statement = made.get();
        statements_.emplace_back(sql, std::move(made));
    }
    int index = 0;
    for (const std::string_view text : texts) {
        if (sqlite3_bind_text64(statement, ++index, text.data(), text.size(), SQLITE_STATIC,
                                SQLITE_UTF8) != SQLITE_OK)
            return fail(error("bind"));
    }
    return Row(statement);
}

Result<std::vector<Entry>> Database::read(const KeyRange &range)
{
    static constexpr const char *kOne =
        "SELECT name, value, version FROM documents WHERE name = ?1";
    static constexpr const char *kAll =
        "SELECT name, value, version FROM documents WHERE name >= ?1 AND name < ?2 ORDER BY name";
    const std::string end = range.prefix ? end_of_prefix(range.key) : std::string();
    TORTIE_TRY(Row row, range.prefix ? bind(kAll, {range.key, end}) : bind(kOne, {range.key}));
    std::vector<Entry> entries;
    int code = 0;
    while ((code = row.step()) == SQLITE_ROW)
        entries.push_back({row.text(0), row.text(1), std::to_string(row.integer(2))});
    if (code != SQLITE_DONE)
        return fail(error("read"));
    return entries;
}

Result<std::optional<std::string>> Database::version_of(const std::string &name)
{
    static constexpr const char *kVersion = "SELECT version FROM documents WHERE name = ?1";
    TORTIE_TRY(Row row, bind(kVersion, {name}));
    const int code = row.step();
    if (code == SQLITE_DONE)
        return std::nullopt;
    if (code != SQLITE_ROW)
        return fail(error("read"));
    return std::to_string(row.integer(0));
}

Result<std::string> Database::next_version()
{
    static constexpr const char *kNext = "UPDATE revision SET last = last + 1 RETURNING last";
    TORTIE_TRY(Row row, bind(kNext, {}));
    if (row.step() != SQLITE_ROW)
        return fail(error("write"));
    std::string version = std::to_string(row.integer(0));
    if (row.step() != SQLITE_DONE)
        return fail(error("write"));
    return version;
}

Result<> Database::put(std::string_view kind, const Entry &entry)
{
    static constexpr const char *kPut =
        "INSERT INTO documents(kind, name, value, version) VALUES (?1, ?2, ?3, CAST(?4 AS INTEGER))"
        " ON CONFLICT(name) DO UPDATE SET value = excluded.value, version = excluded.version";
    TORTIE_TRY(Row row, bind(kPut, {kind, entry.key, entry.value, entry.version}));
    if (row.step() != SQLITE_DONE)
        return fail(error("write"));
    return {};
}

Result<> Database::remove(const std::string &name)
{
    static constexpr const char *kRemove = "DELETE FROM documents WHERE name = ?1";
    TORTIE_TRY(Row row, bind(kRemove, {name}));
    if (row.step() != SQLITE_DONE)
        return fail(error("write"));
    return {};
}

}  // namespace tortie::store
