/* store.h - keys, users, quotas, the audit log and the usage ledger, in one SQLite file.
 *
 *   slx_0123456789ab_<48 hex digits>     a key as its user sees it, once: a public name and a secret of 192 random bits
 *
 * The file holds the SHA-256 of the whole key, never the key. The database is in WAL mode with synchronous=FULL: what
 * srv_store_add_usage has returned for is on disk, whatever happens to the process or the machine. Several processes may
 * have it open: a server, and `silex keys` beside it, whose changes count from the next request on.
 */
#ifndef SLX_SERVER_STORE_H
#define SLX_SERVER_STORE_H

#include "base/base.h"

typedef struct srv_store srv_store;

typedef struct {
    int64_t id;
    char name[16]; /* the public part */
    char user[64], team[64], models[256]; /* models: names with commas between them; "" = all */
    uint32_t per_minute;  /* requests; 0 = no limit */
    uint64_t day_tokens;  /* prompt and answer, of a UTC day; 0 = no limit */
    int64_t created, revoked; /* seconds since 1970; revoked 0 = valid */
    bool admin; /* may see what other users do */
} srv_key;

typedef struct {
    char request[32];
    srv_key who;
    const char *endpoint, *model, *end; /* end: "stop", "length", "cancelled", "fault" */
    int64_t at; /* seconds since 1970 */
    uint32_t prompt, cached, made;
    double joules, usd, chip_s; /* negative = not known */
    double host_s;
} srv_usage;

/* Makes file and folder when they are not there (create), readable by their owner only. Brings a database of an earlier
 * version to this one; refuses another program's, and one of a later version. */
slx_status srv_store_open(srv_store **out, const char *path, bool create, slx_err *err);
void srv_store_close(srv_store *s);
/* Where the database is when nobody says: XDG_STATE_HOME/silex/server.db, or below ~/.local/state. */
void srv_store_default_path(char out[1024]);

typedef enum { SRV_KEY_OK, SRV_KEY_UNKNOWN, SRV_KEY_REVOKED, SRV_KEY_TROUBLE } srv_key_answer;
/* Looks a key up by its public name and compares hashes in constant time. */
srv_key_answer srv_store_find(srv_store *s, const char *key, size_t len, srv_key *out, slx_err *err);
/* Tokens of this key's day so far. */
slx_status srv_store_spent(srv_store *s, int64_t key, int64_t at, uint64_t *tokens, slx_err *err);
/* All or none, on disk when it returns. */
slx_status srv_store_add_usage(srv_store *s, const srv_usage *u, size_t n, slx_err *err);
slx_status srv_store_audit(srv_store *s, const char *who, const char *what, const char *subject, const char *detail,
                           slx_err *err);

/* ------------------------------------------------------------------ for the verbs keys and usage */

enum { SRV_KEY_TEXT = 80 };
/* k: user, team, models, limits and admin in; the rest out. text: the key, which nobody can find again. */
slx_status srv_store_add_key(srv_store *s, srv_key *k, char text[SRV_KEY_TEXT], slx_err *err);
slx_status srv_store_each_key(srv_store *s, void (*fn)(void *arg, const srv_key *k), void *arg, slx_err *err);
/* name: the public part; refuses one that is not there. */
slx_status srv_store_get_key(srv_store *s, const char *name, srv_key *out, slx_err *err);
slx_status srv_store_revoke(srv_store *s, const char *name, slx_err *err);
/* Writes limits and models of k (by name). */
slx_status srv_store_set_limits(srv_store *s, const srv_key *k, slx_err *err);

typedef struct {
    const char *user, *team, *model, *day; /* "" where not grouped by it */
    uint64_t requests, prompt, cached, made;
    double joules, usd; /* sums of what is known; unknown: answers without */
    uint64_t unknown;
} srv_usage_row;
/* by: any of "user", "team", "model", "day", with commas. since, until: days "2026-01-31" or NULL, both counted in. */
slx_status srv_store_each_usage(srv_store *s, const char *by, const char *since, const char *until,
                                void (*fn)(void *arg, const srv_usage_row *r), void *arg, slx_err *err);

#endif
