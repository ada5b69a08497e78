/* store.c - see store.h. The only file that knows SQLite. */
#include "server/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

enum { APPLICATION = 0x534c5853, VERSION = 2, SECRET_BYTES = 24, NAME_BYTES = 6, BUSY_MS = 5000 };

static const char schema[] = "CREATE TABLE key(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
                             "hash TEXT NOT NULL, user TEXT NOT NULL,"
                             " team TEXT NOT NULL, models TEXT NOT NULL, per_minute INTEGER NOT "
                             "NULL, day_tokens INTEGER NOT NULL,"
                             " created INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0,"
                             " admin INTEGER NOT NULL DEFAULT 0);"
                             "CREATE TABLE usage(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, "
                             "request TEXT NOT NULL UNIQUE, key INTEGER NOT NULL,"
                             " user TEXT NOT NULL, team TEXT NOT NULL, model TEXT NOT NULL, "
                             "endpoint TEXT NOT NULL, prompt INTEGER NOT NULL,"
                             " cached INTEGER NOT NULL, made INTEGER NOT NULL, joules REAL, usd "
                             "REAL, chip_s REAL, host_s REAL NOT NULL,"
                             " ended TEXT NOT NULL);"
                             "CREATE INDEX usage_at ON usage(at);"
                             "CREATE TABLE spent(key INTEGER NOT NULL, day INTEGER NOT NULL, "
                             "tokens INTEGER NOT NULL, PRIMARY KEY(key, day))"
                             " WITHOUT ROWID;"
                             "CREATE TABLE audit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who "
                             "TEXT NOT NULL, what TEXT NOT NULL,"
                             " subject TEXT NOT NULL, detail TEXT NOT NULL);";

typedef enum { FIND, SPENT, ADD_USAGE, ADD_SPENT, AUDIT, N_STATEMENTS } statement;
#define KEY_COLUMNS "id, name, user, team, models, per_minute, day_tokens, created, revoked, admin"
enum { HASH = 10 }; /* its column, behind those */
static const char *const sql[N_STATEMENTS] = {
    [FIND] = "SELECT " KEY_COLUMNS ", hash FROM key WHERE name = ?",
    [SPENT] = "SELECT tokens FROM spent WHERE key = ? AND day = ?",
    [ADD_USAGE] = "INSERT INTO usage(at, request, key, user, team, model, endpoint, prompt, "
                  "cached, made, joules, usd,"
                  " chip_s, host_s, ended) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ADD_SPENT] = "INSERT INTO spent(key, day, tokens) VALUES(?,?,?)"
                  " ON CONFLICT(key, day) DO UPDATE SET tokens = tokens + excluded.tokens",
    [AUDIT] = "INSERT INTO audit(at, who, what, subject, detail) VALUES(?,?,?,?,?)",
};

struct srv_store {
    pthread_mutex_t lock; /* one connection, used by several threads in turn */
    sqlite3 *db;
    sqlite3_stmt *st[N_STATEMENTS];
    char path[1024];
};

static slx_status fail(const srv_store *s, slx_err *err)
{
    return slx_fail(err, SLX_EIO, s->path, 0, 0, "%s",
                    s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

static slx_status exec(const srv_store *s, const char *text, slx_err *err)
{
    return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? SLX_OK : fail(s, err);
}

static bool number(const srv_store *s, const char *text, int64_t *out)
{
    sqlite3_stmt *q = NULL;
    bool ok =
        sqlite3_prepare_v2(s->db, text, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    if (ok) *out = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return ok;
}

/* ------------------------------------------------------------------ open */

void srv_store_default_path(char out[1024])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state)
        snprintf(out, 1024, "%.900s/silex/server.db", state);
    else
        snprintf(out, 1024, "%.900s/.local/state/silex/server.db", home && *home ? home : ".");
}

/* Folders on the way, for the owner alone; what is there stays as it is. */
static slx_status make_folders(const char *path, slx_err *err)
{
    char part[1024];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(part, 0700) && errno != EEXIST)
            return slx_fail(err, SLX_EIO, part, 0, 0, "cannot make the folder: %s",
                            strerror(errno));
        *p = '/';
    }
    return SLX_OK;
}

/* A database of version 1 gets what later ones have, in one transaction: keys of before are no administrator's. */
static slx_status migrate(const srv_store *s, slx_err *err)
{
    int64_t version = 0;
    SLX_TRY(exec(s, "BEGIN IMMEDIATE", err));
    slx_status st = number(s, "PRAGMA user_version", &version) ? SLX_OK : fail(s, err);
    if (st == SLX_OK && version == 1) /* nobody else has done it meanwhile */
        st = exec(
            s, "ALTER TABLE key ADD COLUMN admin INTEGER NOT NULL DEFAULT 0; PRAGMA user_version=2",
            err);
    if (st == SLX_OK) return exec(s, "COMMIT", err);
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

/* In a transaction of its own, so that two who begin at once do not both create. */
static slx_status prepare_schema(srv_store *s, bool create, slx_err *err)
{
    int64_t app = 0, version = 0, tables = 0;
    if (create) SLX_TRY(exec(s, "BEGIN IMMEDIATE", err));
    if (!number(s, "PRAGMA application_id", &app) || !number(s, "PRAGMA user_version", &version) ||
        !number(s, "SELECT count(*) FROM sqlite_schema", &tables))
        return fail(s, err);
    if (!tables && create) {
        char ids[96];
        snprintf(ids, sizeof ids, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                 APPLICATION, VERSION);
        SLX_TRY(exec(s, schema, err));
        return exec(s, ids, err);
    }
    if (create) SLX_TRY(exec(s, "COMMIT", err));
    if (app != APPLICATION)
        return slx_fail(err, SLX_EINPUT, s->path, 0, 0,
                        "found another program's database, expected one of silex keys");
    if (version == 1) return migrate(s, err);
    if (version != VERSION)
        return slx_fail(err, SLX_EUNSUPPORTED, s->path, 0, 0,
                        "found a database of version %lld, expected %d", (long long)version,
                        VERSION);
    return SLX_OK;
}

slx_status srv_store_open(srv_store **out, const char *path, bool create, slx_err *err)
{
    srv_store *s = slx_xcalloc(1, sizeof *s);
    slx_status st = SLX_OK;
    pthread_mutex_init(&s->lock, NULL);
    snprintf(s->path, sizeof s->path, "%s", path);
    if (create) {
        st = make_folders(path, err);
        int fd = st == SLX_OK ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)
                              : -1; /* SQLite's own would be 0644 */
        if (fd >= 0)
            close(fd);
        else if (st == SLX_OK && errno != EACCES && errno != EROFS)
            st = slx_fail(err, SLX_EIO, path, 0, 0, "cannot open: %s", strerror(errno));
    } else if (access(path, F_OK)) {
        st = slx_fail(err, SLX_EIO, path, 0, 0, "no such file; silex keys add makes it");
    }
    if (st == SLX_OK && sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        st = fail(s, err);
    if (st == SLX_OK) {
        sqlite3_busy_timeout(s->db, BUSY_MS);
        st = exec(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF",
                  err);
    }
    if (st == SLX_OK && sqlite3_db_readonly(s->db, "main"))
        st = slx_fail(err, SLX_EIO, path, 0, 0,
                      "the database can only be read, expected one that usage can be written to");
    if (st == SLX_OK) st = prepare_schema(s, create, err);
    for (int i = 0; i < N_STATEMENTS && st == SLX_OK; i++)
        if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->st[i], NULL) !=
            SQLITE_OK)
            st = fail(s, err);
    if (st != SLX_OK) {
        srv_store_close(s);
        return st;
    }
    *out = s;
    return SLX_OK;
}

void srv_store_close(srv_store *s)
{
    if (!s) return;
    for (int i = 0; i < N_STATEMENTS; i++) sqlite3_finalize(s->st[i]);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static sqlite3_stmt *begin(srv_store *s, statement which)
{
    sqlite3_reset(s->st[which]);
    sqlite3_clear_bindings(s->st[which]);
    return s->st[which];
}

static void bind_text(sqlite3_stmt *q, int at, const char *text)
{
    sqlite3_bind_text(q, at, text, -1, SQLITE_TRANSIENT);
}

/* ------------------------------------------------------------------ keys */

static void copy_column(char *out, size_t n, sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    snprintf(out, n, "%s", text ? text : "");
}

static void read_key(sqlite3_stmt *q, srv_key *k)
{
    memset(k, 0, sizeof *k);
    k->id = sqlite3_column_int64(q, 0);
    copy_column(k->name, sizeof k->name, q, 1);
    copy_column(k->user, sizeof k->user, q, 2);
    copy_column(k->team, sizeof k->team, q, 3);
    copy_column(k->models, sizeof k->models, q, 4);
    k->per_minute = (uint32_t)sqlite3_column_int64(q, 5);
    k->day_tokens = (uint64_t)sqlite3_column_int64(q, 6);
    k->created = sqlite3_column_int64(q, 7);
    k->revoked = sqlite3_column_int64(q, 8);
    k->admin = sqlite3_column_int64(q, 9) != 0;
}

/* Every digit is looked at whatever the first ones are: how long it takes says nothing about the hash. */
static bool same_hash(const char a[65], const char b[65])
{
    unsigned differ = 0;
    for (int i = 0; i < 64; i++) differ |= (unsigned)(unsigned char)a[i] ^ (unsigned char)b[i];
    return differ == 0;
}

/* slx_NAME_SECRET; out: NAME. */
static bool public_name(const char *key, size_t len, char out[16])
{
    enum { NAME = 2 * NAME_BYTES, LENGTH = 4 + NAME + 1 + 2 * SECRET_BYTES };
    if (len != LENGTH || memcmp(key, "slx_", 4) || key[4 + NAME] != '_') return false;
    memcpy(out, key + 4, NAME);
    out[NAME] = 0;
    return true;
}

srv_key_answer srv_store_find(srv_store *s, const char *key, size_t len, srv_key *out, slx_err *err)
{
    /* Compared even when no key has this name, so that a wrong name takes as long as a wrong secret. */
    char name[16], hash[65],
        kept[65] = "0000000000000000000000000000000000000000000000000000000000000000";
    memset(out, 0, sizeof *out);
    if (!public_name(key, len, name)) return SRV_KEY_UNKNOWN;
    slx_sha256_hex(hash, key, len);
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *q = begin(s, FIND);
    bind_text(q, 1, name);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        read_key(q, out);
        if (sqlite3_column_bytes(q, HASH) == 64) copy_column(kept, sizeof kept, q, HASH);
    } else if (rc != SQLITE_DONE) {
        fail(s, err);
    }
    sqlite3_reset(q);
    pthread_mutex_unlock(&s->lock);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return SRV_KEY_TROUBLE;
    if (!same_hash(hash, kept) || rc != SQLITE_ROW) {
        memset(out, 0, sizeof *out);
        return SRV_KEY_UNKNOWN;
    }
    return out->revoked ? SRV_KEY_REVOKED : SRV_KEY_OK;
}

static slx_status random_hex(char *out, size_t bytes, slx_err *err)
{
    uint8_t raw[32];
    if (getrandom(raw, bytes, 0) != (ssize_t)bytes)
        return slx_fail(err, SLX_EIO, "keys", 0, 0, "the system gives no random bytes: %s",
                        strerror(errno));
    for (size_t i = 0; i < bytes; i++) snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return SLX_OK;
}

slx_status srv_store_add_key(srv_store *s, srv_key *k, char text[SRV_KEY_TEXT], slx_err *err)
{
    char secret[2 * SECRET_BYTES + 1], hash[65];
    sqlite3_stmt *q = NULL;
    SLX_TRY(random_hex(k->name, NAME_BYTES, err));
    SLX_TRY(random_hex(secret, SECRET_BYTES, err));
    snprintf(text, SRV_KEY_TEXT, "slx_%s_%s", k->name, secret);
    slx_sha256_hex(hash, text, strlen(text));
    k->created = (int64_t)time(NULL);
    if (sqlite3_prepare_v2(
            s->db,
            "INSERT INTO key(name, hash, user, team, models, per_minute, day_tokens, created, "
            "admin) VALUES(?,?,?,?,?,?,?,?,?)",
            -1, &q, NULL) != SQLITE_OK)
        return fail(s, err);
    bind_text(q, 1, k->name);
    bind_text(q, 2, hash);
    bind_text(q, 3, k->user);
    bind_text(q, 4, k->team);
    bind_text(q, 5, k->models);
    sqlite3_bind_int64(q, 6, k->per_minute);
    sqlite3_bind_int64(q, 7, (int64_t)k->day_tokens);
    sqlite3_bind_int64(q, 8, k->created);
    sqlite3_bind_int64(q, 9, k->admin);
    int rc = sqlite3_step(q);
    slx_status st = rc == SQLITE_DONE ? SLX_OK : fail(s, err);
    sqlite3_finalize(q);
    k->id = sqlite3_last_insert_rowid(s->db);
    return st;
}

slx_status srv_store_each_key(srv_store *s, void (*fn)(void *arg, const srv_key *k), void *arg,
                              slx_err *err)
{
    sqlite3_stmt *q = NULL;
    srv_key k;
    int rc;
    if (sqlite3_prepare_v2(s->db, "SELECT " KEY_COLUMNS " FROM key ORDER BY id", -1, &q, NULL) !=
        SQLITE_OK)
        return fail(s, err);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        read_key(q, &k);
        fn(arg, &k);
    }
    slx_status st = rc == SQLITE_DONE ? SLX_OK : fail(s, err);
    sqlite3_finalize(q);
    return st;
}

slx_status srv_store_get_key(srv_store *s, const char *name, srv_key *out, slx_err *err)
{
    sqlite3_stmt *q = begin(s, FIND);
    bind_text(q, 1, name);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) read_key(q, out);
    sqlite3_reset(q);
    if (rc == SQLITE_ROW) return SLX_OK;
    if (rc != SQLITE_DONE) return fail(s, err);
    return slx_fail(err, SLX_EINPUT, s->path, 0, 0,
                    "found no key with the name \"%.40s\"; silex keys list has them", name);
}

static slx_status change(srv_store *s, const char *text, const srv_key *k, int64_t revoked,
                         slx_err *err)
{
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(s->db, text, -1, &q, NULL) != SQLITE_OK) return fail(s, err);
    sqlite3_bind_int64(q, 1, revoked);
    sqlite3_bind_int64(q, 2, k->per_minute);
    sqlite3_bind_int64(q, 3, (int64_t)k->day_tokens);
    bind_text(q, 4, k->models);
    bind_text(q, 5, k->name);
    slx_status st = sqlite3_step(q) == SQLITE_DONE ? SLX_OK : fail(s, err);
    sqlite3_finalize(q);
    return st;
}

slx_status srv_store_revoke(srv_store *s, const char *name, slx_err *err)
{
    srv_key k;
    SLX_TRY(srv_store_get_key(s, name, &k, err));
    if (k.revoked) return SLX_OK;
    return change(s, "UPDATE key SET revoked=?1 WHERE name=?5", &k, (int64_t)time(NULL), err);
}

slx_status srv_store_set_limits(srv_store *s, const srv_key *k, slx_err *err)
{
    return change(s, "UPDATE key SET per_minute=?2, day_tokens=?3, models=?4 WHERE name=?5", k, 0,
                  err);
}

/* ------------------------------------------------------------------ usage */

static int64_t day_of(int64_t at)
{
    return at / 86400;
}

slx_status srv_store_spent(srv_store *s, int64_t key, int64_t at, uint64_t *tokens, slx_err *err)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *q = begin(s, SPENT);
    sqlite3_bind_int64(q, 1, key);
    sqlite3_bind_int64(q, 2, day_of(at));
    int rc = sqlite3_step(q);
    *tokens = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0;
    slx_status st = rc == SQLITE_ROW || rc == SQLITE_DONE ? SLX_OK : fail(s, err);
    sqlite3_reset(q);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static void bind_known(sqlite3_stmt *q, int at, double x)
{
    if (x >= 0) sqlite3_bind_double(q, at, x);
}

static slx_status add_one(srv_store *s, const srv_usage *u, slx_err *err)
{
    sqlite3_stmt *q = begin(s, ADD_USAGE);
    sqlite3_bind_int64(q, 1, u->at);
    bind_text(q, 2, u->request);
    sqlite3_bind_int64(q, 3, u->who.id);
    bind_text(q, 4, u->who.user);
    bind_text(q, 5, u->who.team);
    bind_text(q, 6, u->model);
    bind_text(q, 7, u->endpoint);
    sqlite3_bind_int64(q, 8, u->prompt);
    sqlite3_bind_int64(q, 9, u->cached);
    sqlite3_bind_int64(q, 10, u->made);
    bind_known(q, 11, u->joules);
    bind_known(q, 12, u->usd);
    bind_known(q, 13, u->chip_s);
    sqlite3_bind_double(q, 14, u->host_s);
    bind_text(q, 15, u->end);
    if (sqlite3_step(q) != SQLITE_DONE) return fail(s, err);
    q = begin(s, ADD_SPENT);
    sqlite3_bind_int64(q, 1, u->who.id);
    sqlite3_bind_int64(q, 2, day_of(u->at));
    sqlite3_bind_int64(q, 3, (int64_t)u->prompt + u->made);
    return sqlite3_step(q) == SQLITE_DONE ? SLX_OK : fail(s, err);
}

slx_status srv_store_add_usage(srv_store *s, const srv_usage *u, size_t n, slx_err *err)
{
    pthread_mutex_lock(&s->lock);
    slx_status st = exec(s, "BEGIN IMMEDIATE", err);
    bool open = st == SLX_OK;
    for (size_t i = 0; i < n && st == SLX_OK; i++) st = add_one(s, &u[i], err);
    for (int i = 0; i < N_STATEMENTS; i++) sqlite3_reset(s->st[i]);
    if (st == SLX_OK) st = exec(s, "COMMIT", err);
    if (st != SLX_OK && open && !sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
    return st;
}

slx_status srv_store_audit(srv_store *s, const char *who, const char *what, const char *subject,
                           const char *detail, slx_err *err)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *q = begin(s, AUDIT);
    sqlite3_bind_int64(q, 1, (int64_t)time(NULL));
    bind_text(q, 2, who);
    bind_text(q, 3, what);
    bind_text(q, 4, subject);
    bind_text(q, 5, detail);
    slx_status st = sqlite3_step(q) == SQLITE_DONE ? SLX_OK : fail(s, err);
    sqlite3_reset(q);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ------------------------------------------------------------------ reports */

/* Which columns are grouped by: "user,day" -> bits in the order of `names`. */
static slx_status grouping(const char *by, const char *const *names, unsigned *bits, slx_err *err)
{
    *bits = 0;
    for (const char *p = by; *p;) {
        size_t n = strcspn(p, ",");
        int found = -1;
        for (int i = 0; i < 4; i++)
            if (strlen(names[i]) == n && !memcmp(names[i], p, n)) found = i;
        if (found < 0)
            return slx_fail(err, SLX_EINPUT, "--by", 0, 0,
                            "found \"%.*s\", expected user, team, model or day", (int)n, p);
        *bits |= 1u << found;
        p += n + (p[n] == ',');
    }
    return SLX_OK;
}

static slx_status check_day(const char *option, const char *day, slx_err *err)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y, m, d, n = 0;
    if (!day) return SLX_OK;
    bool form = sscanf(day, "%4d-%2d-%2d%n", &y, &m, &d, &n) == 3 && n == 10 && !day[10];
    bool leap = form && (y % 400 == 0 || (y % 4 == 0 && y % 100 != 0));
    if (form && m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap)) return SLX_OK;
    return slx_fail(err, SLX_EINPUT, option, 0, 0,
                    "found \"%.40s\", expected a day of the calendar as 2026-01-31", day);
}

slx_status srv_store_each_usage(srv_store *s, const char *by, const char *since, const char *until,
                                void (*fn)(void *arg, const srv_usage_row *r), void *arg,
                                slx_err *err)
{
    static const char *const names[] = {"user", "team", "model", "day"};
    unsigned bits;
    int rc;
    slx_buf text = {0};
    sqlite3_stmt *q = NULL;
    SLX_TRY(grouping(by, names, &bits, err));
    SLX_TRY(check_day("--since", since, err));
    SLX_TRY(check_day("--until", until, err));
    slx_buf_adds(&text, "SELECT ");
    for (int i = 0; i < 4; i++)
        slx_buf_addf(&text, "%s AS g%d, ",
                     !(bits >> i & 1) ? "''"
                     : i == 3         ? "date(at, 'unixepoch')"
                                      : names[i],
                     i);
    slx_buf_adds(&text, "count(*), sum(prompt), sum(cached), sum(made), total(joules), total(usd), "
                        "sum(joules IS NULL)"
                        " FROM usage WHERE (?1 IS NULL OR date(at, 'unixepoch') >= ?1)"
                        " AND (?2 IS NULL OR date(at, 'unixepoch') <= ?2)"
                        " GROUP BY g0, g1, g2, g3 HAVING count(*) ORDER BY g3, g0, g1, g2");
    rc = sqlite3_prepare_v2(s->db, text.ptr, -1, &q, NULL);
    slx_buf_free(&text);
    if (rc != SQLITE_OK) return fail(s, err);
    if (since) bind_text(q, 1, since);
    if (until) bind_text(q, 2, until);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        const char *g[4];
        for (int i = 0; i < 4; i++) g[i] = (const char *)sqlite3_column_text(q, i);
        srv_usage_row r = {.user = g[0],
                           .team = g[1],
                           .model = g[2],
                           .day = g[3],
                           .requests = (uint64_t)sqlite3_column_int64(q, 4),
                           .prompt = (uint64_t)sqlite3_column_int64(q, 5),
                           .cached = (uint64_t)sqlite3_column_int64(q, 6),
                           .made = (uint64_t)sqlite3_column_int64(q, 7),
                           .joules = sqlite3_column_double(q, 8),
                           .usd = sqlite3_column_double(q, 9),
                           .unknown = (uint64_t)sqlite3_column_int64(q, 10)};
        fn(arg, &r);
    }
    slx_status st = rc == SQLITE_DONE ? SLX_OK : fail(s, err);
    sqlite3_finalize(q);
    return st;
}
