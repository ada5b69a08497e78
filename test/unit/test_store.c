/* test_store.c - keys and ledger in a database of their own: a key is found by itself alone, limits and revocation,
 * sums by every grouping against sums made here, all or nothing, other files refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "server/store.h"

static char path[] = "/tmp/silex-store-XXXXXX/state/server.db";

static int fresh(void **state)
{
    (void)state;
    memcpy(path, "/tmp/silex-store-XXXXXX", 23);
    path[23] = 0;
    if (!mkdtemp(path)) return 1;
    memcpy(path + 23, "/state/server.db", 17);
    return 0;
}

static srv_store *open_store(void)
{
    srv_store *s = NULL;
    slx_err err = {0};
    slx_status st = srv_store_open(&s, path, true, &err);
    if (st != SLX_OK) slx_err_print(&err, stderr);
    assert_int_equal(st, SLX_OK);
    return s;
}

static void keys(void **state)
{
    (void)state;
    srv_store *s = open_store();
    srv_key a = {.user = "ann",
                 .team = "lab",
                 .per_minute = 5,
                 .day_tokens = 1000,
                 .models = "m,n"},
            b = {.user = "bob"}, k;
    char ta[SRV_KEY_TEXT], tb[SRV_KEY_TEXT];
    slx_err err;
    assert_int_equal(srv_store_add_key(s, &a, ta, &err), SLX_OK);
    assert_int_equal(srv_store_add_key(s, &b, tb, &err), SLX_OK);
    assert_string_not_equal(ta, tb);
    assert_int_equal(srv_store_find(s, ta, strlen(ta), &k, &err), SRV_KEY_OK);
    assert_string_equal(k.user, "ann");
    assert_string_equal(k.team, "lab");
    assert_string_equal(k.models, "m,n");
    assert_int_equal(k.per_minute, 5);
    assert_int_equal(k.day_tokens, 1000);
    assert_false(k.admin);
    srv_key boss = {.user = "boss", .admin = true};
    char tboss[SRV_KEY_TEXT];
    assert_int_equal(srv_store_add_key(s, &boss, tboss, &err), SLX_OK);
    assert_int_equal(srv_store_find(s, tboss, strlen(tboss), &k, &err), SRV_KEY_OK);
    assert_true(k.admin);
    /* every digit counts; a name with another's secret is nobody */
    for (size_t i = 0; i < strlen(ta); i++) {
        char other[SRV_KEY_TEXT];
        strcpy(other, ta);
        other[i] = other[i] == '0' ? '1' : '0';
        assert_int_equal(srv_store_find(s, other, strlen(other), &k, &err), SRV_KEY_UNKNOWN);
        assert_int_equal(k.id, 0);
    }
    memcpy(tb + 4, ta + 4, 12);
    assert_int_equal(srv_store_find(s, tb, strlen(tb), &k, &err), SRV_KEY_UNKNOWN);
    assert_int_equal(srv_store_find(s, ta, strlen(ta) - 1, &k, &err), SRV_KEY_UNKNOWN);
    assert_int_equal(srv_store_find(s, "", 0, &k, &err), SRV_KEY_UNKNOWN);
    /* another process sees the change */
    srv_store *other = NULL;
    assert_int_equal(srv_store_open(&other, path, false, &err), SLX_OK);
    assert_int_equal(srv_store_revoke(other, a.name, &err), SLX_OK);
    assert_int_equal(srv_store_find(s, ta, strlen(ta), &k, &err), SRV_KEY_REVOKED);
    assert_int_equal(srv_store_revoke(other, "none", &err), SLX_EINPUT);
    srv_store_close(other);
    srv_store_close(s);
    /* neither the key nor its secret is in the files, in any form we write */
    char command[256];
    snprintf(command, sizeof command, "grep -q %s %s*", ta + 17, path);
    assert_int_not_equal(system(command), 0);
}

typedef struct {
    uint64_t rows, requests, prompt, made;
    double joules;
    char last[64];
} sums;

static void add(void *arg, const srv_usage_row *r)
{
    sums *s = arg;
    s->rows++;
    s->requests += r->requests;
    s->prompt += r->prompt;
    s->made += r->made;
    s->joules += r->joules;
    snprintf(s->last, sizeof s->last, "%s|%s|%s|%s", r->day, r->user, r->team, r->model);
}

static void usage(void **state)
{
    (void)state;
    enum { N = 40, DAY = 86400, START = 20000 * DAY }; /* 2024-10-04 */
    srv_store *s = open_store();
    srv_usage u[N];
    slx_err err;
    uint64_t prompt = 0, made = 0, of_day1 = 0;
    double joules = 0;
    for (int i = 0; i < N; i++) {
        u[i] = (srv_usage){.who = {.id = 100 + i % 3},
                           .endpoint = "chat",
                           .model = i % 2 ? "m" : "n",
                           .end = "stop",
                           .at = START + i * DAY / 10,
                           .prompt = 10 + (uint32_t)i,
                           .made = (uint32_t)i,
                           .joules = i ? 0.5 * i : -1,
                           .usd = -1,
                           .chip_s = -1,
                           .host_s = 1};
        snprintf(u[i].request, sizeof u[i].request, "req-%d", i);
        snprintf(u[i].who.user, sizeof u[i].who.user, "u%d", i % 3);
        prompt += u[i].prompt;
        made += u[i].made;
        joules += i ? 0.5 * i : 0;
        if (i / 10 == 1 && i % 3 == 1) of_day1 += u[i].prompt + u[i].made;
    }
    assert_int_equal(srv_store_add_usage(s, u, N, &err), SLX_OK);
    uint64_t spent;
    assert_int_equal(srv_store_spent(s, 101, START + DAY + 5, &spent, &err), SLX_OK);
    assert_int_equal(spent, of_day1);
    assert_int_equal(srv_store_spent(s, 999, START, &spent, &err), SLX_OK);
    assert_int_equal(spent, 0);
    static const struct {
        const char *by;
        uint64_t rows;
    } groups[] = {{"", 1},    {"user", 3},       {"model", 2},
                  {"day", 4}, {"user,model", 6}, {"day,user,team,model", 24}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        sums x = {0};
        assert_int_equal(srv_store_each_usage(s, groups[i].by, NULL, NULL, add, &x, &err), SLX_OK);
        assert_int_equal(x.rows, groups[i].rows);
        assert_int_equal(x.requests, N);
        assert_int_equal(x.prompt, prompt);
        assert_int_equal(x.made, made);
        assert_true(x.joules > joules - 1e-9 && x.joules < joules + 1e-9);
    }
    sums x = {0};
    assert_int_equal(srv_store_each_usage(s, "day", "2024-10-05", "2024-10-05", add, &x, &err),
                     SLX_OK);
    assert_int_equal(x.requests, 10);
    assert_string_equal(x.last, "2024-10-05|||");
    assert_int_equal(srv_store_each_usage(s, "color", NULL, NULL, add, &x, &err), SLX_EINPUT);
    assert_int_equal(srv_store_each_usage(s, "day", "yesterday", NULL, add, &x, &err), SLX_EINPUT);
    static const char *const no_days[] = {"2026-02-31", "2026-02-29", "2100-02-29", "2026-04-31", "2026-13-01",
                                          "2026-00-10", "2026-01-00", "2026-1-31"};
    for (size_t i = 0; i < sizeof no_days / sizeof *no_days; i++)
        assert_int_equal(srv_store_each_usage(s, "day", NULL, no_days[i], add, &x, &err), SLX_EINPUT);
    static const char *const days[] = {"2024-02-29", "2000-02-29", "2026-12-31", "2026-04-30"};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        assert_int_equal(srv_store_each_usage(s, "day", days[i], NULL, add, &x, &err), SLX_OK);
    /* a request that is there already: nothing of the batch is kept */
    snprintf(u[0].request, sizeof u[0].request, "new");
    assert_int_equal(srv_store_add_usage(s, u, 2, &err), SLX_EIO);
    x = (sums){0};
    assert_int_equal(srv_store_each_usage(s, "", NULL, NULL, add, &x, &err), SLX_OK);
    assert_int_equal(x.requests, N);
    assert_int_equal(srv_store_add_usage(s, u, 1, &err), SLX_OK); /* and the next one works */
    srv_store_close(s);
}

static void other_files(void **state)
{
    (void)state;
    srv_store *s = NULL;
    slx_err err;
    assert_int_equal(srv_store_open(&s, path, false, &err), SLX_EIO);
    assert_non_null(strstr(err.msg, "silex keys add"));
    srv_store_close(open_store());
    char command[256];
    snprintf(command, sizeof command, "test $(stat -c %%a %s) = 600", path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command,
             "rm %s* && echo 'no database, but long enough to be read as one' > %s", path, path);
    assert_int_equal(system(command), 0);
    assert_int_equal(srv_store_open(&s, path, true, &err), SLX_EIO);
    assert_string_equal(err.file, path);
    assert_null(s);
}

/* A database as version 1 made it: its keys go on, and are no administrator's. */
static void version_1(void **state)
{
    (void)state;
    srv_store *s = open_store();
    srv_key k = {.user = "ann", .admin = true};
    char text[SRV_KEY_TEXT], command[256];
    slx_err err;
    assert_int_equal(srv_store_add_key(s, &k, text, &err), SLX_OK);
    srv_store_close(s);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "ALTER TABLE key DROP COLUMN admin; PRAGMA user_version=1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 2; i++) { /* changed once, then opened as it is */
        assert_int_equal(srv_store_open(&s, path, false, &err), SLX_OK);
        assert_int_equal(srv_store_find(s, text, strlen(text), &k, &err), SRV_KEY_OK);
        assert_string_equal(k.user, "ann");
        assert_false(k.admin);
        srv_store_close(s);
    }
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=3", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(srv_store_open(&s, path, false, &err), SLX_EUNSUPPORTED);
    snprintf(command, sizeof command, "rm -r %.*s", 23, path);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keys, fresh),
        cmocka_unit_test_setup(usage, fresh),
        cmocka_unit_test_setup(other_files, fresh),
        cmocka_unit_test_setup(version_1, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
