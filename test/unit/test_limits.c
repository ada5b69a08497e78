/* test_limits.c - a key's tokens of the day: every token counts once, also while others ask and finish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/server_int.h"

enum { HELD = 12, USED = 8, THREADS = 4 };

typedef struct {
    srv_limits *limits;
    srv_store *store;
    srv_key key;
    uint32_t answered, refused; /* of one thread, or of all */
    char dir[64];
} fixture;

static int open_all(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char path[128];
    slx_err err;
    strcpy(f->dir, "/tmp/silex-limits-XXXXXX");
    if (!mkdtemp(f->dir)) return 1;
    snprintf(path, sizeof path, "%s/server.db", f->dir);
    if (srv_store_open(&f->store, path, true, &err) != SLX_OK) return 1;
    f->limits = srv_limits_open();
    f->key = (srv_key){.id = 7, .user = "ann"};
    *state = f;
    return 0;
}

static int close_all(void **state)
{
    fixture *f = *state;
    char command[128];
    srv_limits_close(f->limits);
    srv_store_close(f->store);
    snprintf(command, sizeof command, "rm -r %s", f->dir);
    free(f);
    return system(command);
}

/* One request as the server serves it: hold, answer, write down, let go. */
static bool answer(fixture *f)
{
    uint64_t spent, held;
    slx_err err;
    if (srv_limits_reserve(f->limits, f->store, &f->key, HELD, HELD, &spent, &held, &err) != SLX_OK)
        slx_err_print(&err, stderr), abort();
    if (!held) return f->refused++, false;
    srv_usage u = {.who = f->key,
                   .endpoint = "chat",
                   .model = "m",
                   .end = "stop",
                   .at = (int64_t)time(NULL),
                   .prompt = USED - 3,
                   .made = 3,
                   .joules = -1,
                   .usd = -1,
                   .chip_s = -1};
    snprintf(u.request, sizeof u.request, "%p-%u", (void *)f, f->answered);
    if (srv_store_add_usage(f->store, &u, 1, &err) != SLX_OK) slx_err_print(&err, stderr), abort();
    srv_limits_release(f->limits, &f->key, HELD);
    return f->answered++, true;
}

static void one_after_the_other(void **state)
{
    fixture *f = *state;
    f->key.day_tokens = 5 * USED + HELD; /* the sixth just fits; then 4 are left */
    while (answer(f)) {}
    assert_int_equal(f->answered, 6);
    assert_false(answer(f));
    f->key.day_tokens = 6 * USED + HELD; /* a larger quota is seen at once */
    assert_true(answer(f));
    assert_false(answer(f));
}

static uint64_t hold(fixture *f, uint64_t least, uint64_t most)
{
    uint64_t spent, held;
    slx_err err;
    assert_int_equal(
        srv_limits_reserve(f->limits, f->store, &f->key, least, most, &spent, &held, &err), SLX_OK);
    return held;
}

static void a_hold_counts_until_it_is_released(void **state)
{
    fixture *f = *state;
    f->key.day_tokens = 2 * HELD;
    for (int i = 0; i < 3; i++) assert_int_equal(hold(f, HELD, HELD), i < 2 ? HELD : 0);
    srv_limits_release(f->limits, &f->key, HELD);
    assert_int_equal(hold(f, HELD + 1, HELD + 1), 0);
    assert_int_equal(hold(f, HELD, HELD), HELD);
}

static void what_is_left_is_held(void **state)
{
    fixture *f = *state;
    f->key.day_tokens = 2 * HELD + 1;
    assert_int_equal(hold(f, 1, HELD), HELD);
    assert_int_equal(hold(f, 1, 100 * HELD), HELD + 1);
    assert_int_equal(hold(f, 1, 1), 0);
    f->key.day_tokens = HELD; /* less than is held */
    assert_int_equal(hold(f, 1, 1), 0);
}

static void *ask(void *arg)
{
    fixture *f = arg;
    while (f->refused < 50) answer(f);
    return NULL;
}

static void many_at_once(void **state)
{
    fixture *f = *state, of[THREADS];
    pthread_t t[THREADS];
    uint32_t answered = 0;
    f->key.day_tokens = 200 * USED + HELD - 1;
    for (int i = 0; i < THREADS; i++) {
        of[i] = *f;
        assert_int_equal(pthread_create(&t[i], NULL, ask, &of[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        answered += of[i].answered;
    }
    while (answer(f)) {} /* what the others' holds may have kept from them */
    assert_int_equal(answered + f->answered, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_after_the_other, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_hold_counts_until_it_is_released, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_is_left_is_held, open_all, close_all),
        cmocka_unit_test_setup_teardown(many_at_once, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
