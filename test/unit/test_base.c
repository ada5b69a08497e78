/* test_base.c - the contracts of base/base.h. Expected digests are published vectors: XXH64 from
 * the reference implementation (libxxhash 0.8.1, seed 0), SHA-256 from FIPS 180-4 and NIST's short
 * message set, splitmix64 from the values its authors' C code prints for seed 1234567. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

/* ------------------------------------------------------------------ a folder of its own */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/silex-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char cmd[96];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", folder);
    return system(cmd);
}

static const char *in_folder(const char *name)
{
    static char path[4][1200];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static int entries(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* ------------------------------------------------------------------ status */

static void err_text(const slx_err *e, char out[2048])
{
    FILE *f = tmpfile();
    assert_non_null(f);
    slx_err_print(e, f);
    rewind(f);
    out[fread(out, 1, 2047, f)] = 0;
    fclose(f);
}

static void test_status(void **state)
{
    (void)state;
    assert_int_equal(slx_exit_code(SLX_OK), 0);
    assert_int_equal(slx_exit_code(SLX_EINPUT), 2);
    assert_int_equal(slx_exit_code(SLX_EUNSUPPORTED), 2);
    assert_int_equal(slx_exit_code(SLX_EIO), 2);
    assert_int_equal(slx_exit_code(SLX_ENOMEM), 2);
    assert_int_equal(slx_exit_code(SLX_EFAULT), 3);
    assert_int_equal(slx_exit_code(SLX_EINTERRUPTED), 130);
    assert_string_equal(slx_status_text(SLX_EINPUT), "wrong input");
    assert_string_equal(slx_status_text((slx_status)99), "unknown status");
}

static void test_error_print(void **state)
{
    (void)state;
    slx_err e;
    char text[2048];
    assert_int_equal(
        slx_fail(&e, SLX_EINPUT, "mine.yaml", 14, 13, "hbm.gbps_pin: found \"%s\"", "fast"),
        SLX_EINPUT);
    strcpy(e.source, "  gbps_pin: fast");
    err_text(&e, text);
    assert_string_equal(text, "mine.yaml:14: hbm.gbps_pin: found \"fast\"\n"
                              "   14 |   gbps_pin: fast\n"
                              "      |             ^\n");
    assert_int_equal(slx_fail(NULL, SLX_EIO, NULL, 0, 0, "x"), SLX_EIO);
    slx_fail(&e, SLX_EIO, NULL, 0, 0, "a\nb\033[2J");
    err_text(&e, text);
    assert_string_equal(text, "silex: a b [2J\n"); /* one line, no escape sequence */
}

static void test_error_of_error(void **state)
{
    (void)state;
    slx_err e;
    slx_fail(&e, SLX_EIO, "f", 3, 0, "inner");
    slx_fail(&e, SLX_EINPUT, e.file, e.line, 0, "outer: %s", e.msg);
    assert_string_equal(e.file, "f");
    assert_int_equal(e.line, 3);
    assert_string_equal(e.msg, "outer: inner");
    char longest[2000];
    memset(longest, 'p', sizeof longest);
    strcpy(longest + sizeof longest - 6, "x.bin");
    slx_fail(&e, SLX_EIO, longest, 0, 0, "%s", longest);
    assert_int_equal(strlen(e.file), sizeof e.file - 1);
    assert_memory_equal(e.file, "...pp", 5);
    assert_string_equal(e.file + strlen(e.file) - 5, "x.bin");
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

/* ------------------------------------------------------------------ memory */

static void test_arena(void **state)
{
    (void)state;
    slx_arena a;
    slx_arena_init(&a);
    struct {
        uint8_t *p;
        size_t n;
        uint8_t fill;
    } kept[2000];
    slx_rng r = {7};
    for (int i = 0; i < 2000; i++) {
        size_t n = i % 97 == 0 ? 100000 + slx_rng_below(&r, 100000) : slx_rng_below(&r, 300);
        size_t align = (size_t)1 << slx_rng_below(&r, 8);
        uint8_t *p = slx_push(&a, n, align);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
        for (size_t k = 0; k < n; k++) assert_int_equal(p[k], 0);
        memset(p, i | 1, n);
        kept[i].p = p, kept[i].n = n, kept[i].fill = (uint8_t)(i | 1);
    }
    for (int i = 0; i < 2000; i++) /* nothing overlaps, nothing moved */
        for (size_t k = 0; k < kept[i].n; k++) assert_int_equal(kept[i].p[k], kept[i].fill);
    uint32_t *v = slx_new(&a, uint32_t, 10);
    assert_int_equal(v[9], 0);
    assert_string_equal(slx_sprintf(&a, "%s-%d", slx_strdup(&a, "tile"), 17), "tile-17");
    slx_arena_deinit(&a);
    assert_null(a.blocks);
    slx_arena_deinit(&a); /* twice is harmless */
}

static void test_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, 63, 64, 65, 4095, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 9 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *p = slx_aalloc(sizes[i]);
        assert_int_equal((uintptr_t)p % (sizes[i] >= 4 << 20 ? 2 << 20 : 64), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            if (p[k]) fail_msg("byte %zu of %zu is not zero", k, sizes[i]);
        if (sizes[i]) p[0] = p[sizes[i] - 1] = 1;
        slx_afree(p, sizes[i]);
    }
    slx_afree(NULL, 5);
}

/* How a child that runs fn ends: its wait status. */
static int child_ends(void (*fn)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void overflow(void)
{
    slx_mul_size(SIZE_MAX / 2, 3);
}

static void too_much(void)
{
    slx_arena a;
    slx_arena_init(&a);
    slx_push(&a, SIZE_MAX - 100, 8);
}

static void test_refuses_absurd_sizes(void **state)
{
    (void)state;
    assert_int_equal(slx_mul_size(3, 5), 15);
    int status = child_ends(overflow);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = child_ends(too_much);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

/* ------------------------------------------------------------------ strings */

static void test_buf(void **state)
{
    (void)state;
    slx_buf b = {0};
    slx_buf_add(&b, "ab\0c", 4);
    slx_buf_addc(&b, 'd');
    slx_buf_adds(&b, "ef");
    slx_buf_addf(&b, "%0100d", 7);
    assert_int_equal(b.len, 107);
    assert_memory_equal(b.ptr, "ab\0cdef0", 8);
    assert_int_equal(b.ptr[106], '7');
    assert_int_equal(b.ptr[107], 0);
    for (int i = 0; i < 10000; i++) slx_buf_addc(&b, 'z');
    assert_int_equal(strlen(b.ptr + 7), 10100);
    slx_buf_free(&b);
    assert_null(b.ptr);
    assert_true(slx_str_is(slx_str_c("x"), "x"));
    assert_true(slx_str_eq((slx_str){0}, slx_str_c("")));
    assert_false(slx_str_is((slx_str){"xy", 1}, "xy"));
}

static void test_parse_i64(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int64_t want;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"+7", 7},
        {"007", 7},
        {"0x1F", 31},
        {"-0x10", -16},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    int64_t v;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(slx_parse_i64(good[i].s, INT64_MIN, INT64_MAX, &v));
        assert_true(v == good[i].want);
    }
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "0x",
                                      "1.0",
                                      "--1",
                                      "0xg",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (slx_parse_i64(bad[i], INT64_MIN, INT64_MAX, &v)) fail_msg("took \"%s\"", bad[i]);
    assert_true(slx_parse_i64("5", 5, 5, &v));
    assert_false(slx_parse_i64("4", 5, 9, &v));
    assert_false(slx_parse_i64("10", 5, 9, &v));
}

static void test_parse_f64(void **state)
{
    (void)state;
    double v;
    assert_true(slx_parse_f64("-1.5e3", -1e9, 1e9, &v) && v == -1500.0);
    assert_true(slx_parse_f64(".5", 0, 1, &v) && v == 0.5);
    assert_true(slx_parse_f64("3", 0, 3, &v) && v == 3.0);
    static const char *const bad[] = {"",      " 1",  "1 ", "nan",   "inf", "0x1p3",
                                      "1e999", "1,5", "e5", "1.2.3", "-",   "3.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (slx_parse_f64(bad[i], 0, 3, &v)) fail_msg("took \"%s\"", bad[i]);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"run",    "tokenize", "template",  "compile",
                                        "disasm", "silex-1",  "silex-mini"};
    const int n = sizeof names / sizeof *names;
    assert_string_equal(slx_nearest("rnu", names, n), "run");
    assert_string_equal(slx_nearest("tokenise", names, n), "tokenize");
    assert_string_equal(slx_nearest("Compile", names, n), "compile");
    assert_string_equal(slx_nearest("silex1", names, n), "silex-1");
    assert_string_equal(slx_nearest("silex-mni", names, n), "silex-mini");
    assert_string_equal(slx_nearest("disasm", names, n), "disasm");
    assert_null(slx_nearest("serve-forever", names, n));
    assert_null(slx_nearest("", names, n));
    assert_null(slx_nearest("x", names, n));
    assert_null(slx_nearest("run", names, 0));
}

/* Every sequence of one to four bytes out of the edges of the table in utf8.c, against the
 * definition taken the other way round: encode every scalar value, and see whether the bytes are
 * among them. */
static int reference_length(const uint8_t *p, int left, uint32_t *cp)
{
    static const uint32_t first[5] = {0, 0, 0x80, 0x800, 0x10000};
    int n = p[0] < 0x80             ? 1
            : (p[0] & 0xE0) == 0xC0 ? 2
            : (p[0] & 0xF0) == 0xE0 ? 3
            : (p[0] & 0xF8) == 0xF0 ? 4
                                    : 0;
    if (!n || left < n) return 0;
    uint32_t v = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) return 0;
        v = v * 64 + (p[i] - 128u);
    }
    if (v < first[n] || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000)) return 0;
    *cp = v;
    return n;
}

static void test_utf8(void **state)
{
    (void)state;
    static const uint8_t edge[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                   0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                   0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF};
    const int n = sizeof edge;
    for (int i = 0; i < n * n * n * n; i++) {
        uint8_t s[4] = {edge[i % n], edge[i / n % n], edge[i / n / n % n], edge[i / n / n / n]};
        for (int len = 1; len <= 4; len++) {
            uint32_t got_cp = 0, want_cp = 0;
            int got = slx_utf8_get((char *)s, (char *)s + len, &got_cp),
                want = reference_length(s, len, &want_cp);
            if (got != want || got_cp != want_cp)
                fail_msg("%02x %02x %02x %02x, %d bytes: %d, expected %d", s[0], s[1], s[2], s[3],
                         len, got, want);
        }
    }
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        if (cp >= 0xD800 && cp < 0xE000) continue;
        char s[4];
        uint32_t back = 1;
        int len = slx_utf8_put(s, cp);
        if (slx_utf8_get(s, s + len, &back) != len || back != cp)
            fail_msg("U+%04X does not come back", cp);
    }
    char s[4];
    assert_int_equal(slx_utf8_put(s, 0x20AC), 3); /* the euro sign, E2 82 AC */
    assert_memory_equal(s, "\xE2\x82\xAC", 3);
    assert_int_equal(slx_utf8_put(s, 0x1F600), 4);
    assert_memory_equal(s, "\xF0\x9F\x98\x80", 4);
    assert_int_equal(slx_utf8_put(s, 0xD800), 3); /* no scalar value: U+FFFD */
    assert_memory_equal(s, "\xEF\xBF\xBD", 3);
    uint32_t cp;
    assert_int_equal(slx_utf8_get(s, s, &cp), 0);
    assert_true(slx_utf8_valid("", 0));
    assert_true(slx_utf8_valid("a\xC3\xA9\xE2\x82\xAC", 6));
    assert_false(slx_utf8_valid("a\xC3", 2));
    assert_false(slx_utf8_valid("\xED\xA0\x80", 3));
}

/* ------------------------------------------------------------------ files */

static void test_map(void **state)
{
    (void)state;
    slx_map m;
    slx_err e;
    assert_int_equal(slx_map_open(&m, in_folder("missing"), &e), SLX_EIO);
    assert_non_null(strstr(e.file, "missing"));
    assert_non_null(strstr(e.msg, "No such file"));
    assert_int_equal(slx_map_open(&m, folder, &e), SLX_EINPUT);
    assert_non_null(strstr(e.msg, "folder"));
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(slx_map_open(&m, in_folder("pipe"), &e), SLX_EINPUT);
    char longest[3000];
    memset(longest, 'p', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(slx_map_open(&m, longest, &e), SLX_EINPUT);
    put(in_folder("empty"), "");
    assert_int_equal(slx_map_open(&m, in_folder("empty"), &e), SLX_OK);
    assert_null(m.ptr);
    assert_int_equal(m.size, 0);
    slx_map_release(&m, m.ptr, 0);
    slx_map_close(&m);

    size_t n = 100000;
    uint8_t *bytes = slx_xmalloc(n);
    slx_rng r = {3};
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)slx_rng_u64(&r);
    assert_int_equal(slx_write_file(in_folder("data"), bytes, n, &e), SLX_OK);
    assert_int_equal(slx_map_open(&m, in_folder("data"), &e), SLX_OK);
    assert_int_equal(m.size, n);
    assert_string_equal(m.path, in_folder("data"));
    assert_memory_equal(m.ptr, bytes, n);
    slx_map_release(&m, m.ptr + 100, n - 200);
    slx_map_release(&m, m.ptr, n);
    assert_memory_equal(m.ptr, bytes, n); /* still valid after release */
    slx_map_close(&m);
    free(bytes);
}

static void test_read(void **state)
{
    (void)state;
    slx_buf b;
    slx_err e;
    put(in_folder("text"), "one\ntwo\n");
    assert_int_equal(slx_read_file(&b, in_folder("text"), &e), SLX_OK);
    assert_string_equal(b.ptr, "one\ntwo\n");
    slx_buf_free(&b);
    put(in_folder("nothing"), "");
    assert_int_equal(slx_read_file(&b, in_folder("nothing"), &e), SLX_OK);
    assert_string_equal(b.ptr, "");
    slx_buf_free(&b);
    assert_int_equal(slx_read_file(&b, in_folder("missing"), &e), SLX_EIO);
    assert_null(b.ptr);
    assert_int_equal(slx_read_file(&b, folder, &e), SLX_EINPUT);
    int saved = dup(0), p[2];
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], "piped", 5), 5);
    close(p[1]);
    dup2(p[0], 0);
    close(p[0]);
    slx_status s = slx_read_file(&b, "-", &e);
    dup2(saved, 0);
    close(saved);
    assert_int_equal(s, SLX_OK);
    assert_string_equal(b.ptr, "piped");
    slx_buf_free(&b);
}

static void assert_content(const char *path, const char *want)
{
    slx_buf b;
    slx_err e;
    assert_int_equal(slx_read_file(&b, path, &e), SLX_OK);
    assert_string_equal(b.ptr, want);
    slx_buf_free(&b);
}

static void test_write(void **state)
{
    (void)state;
    slx_err e;
    assert_int_equal(mkdir(in_folder("w"), 0700), 0);
    assert_int_equal(slx_write_file(in_folder("w/a"), "new", 3, &e), SLX_OK);
    assert_content(in_folder("w/a"), "new");
    assert_int_equal(chmod(in_folder("w/a"), 0640), 0);
    assert_int_equal(symlink("a", in_folder("w/link")), 0);
    assert_int_equal(slx_write_file(in_folder("w/link"), "newer", 5, &e), SLX_OK);
    assert_content(in_folder("w/a"), "newer"); /* through the link, which stays a link */
    struct stat st;
    assert_int_equal(lstat(in_folder("w/link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(in_folder("w/a"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(slx_write_file("/dev/null", "x", 1, &e), SLX_OK);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(entries(in_folder("w")), 2);
}

/* A disk that fills up: the process may write 4 KiB to a file and no more. */
static void write_with_little_room(void)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit little = {4096, 4096};
    if (setrlimit(RLIMIT_FSIZE, &little)) _exit(1);
    static char big[10000];
    slx_err e;
    _exit(slx_write_file(in_folder("v/full"), big, sizeof big, &e) == SLX_EIO ? 7 : 1);
}

static void test_write_fails_cleanly(void **state)
{
    (void)state;
    slx_err e;
    assert_int_equal(mkdir(in_folder("v"), 0700), 0);
    assert_int_equal(slx_write_file(in_folder("v/no/such/dir"), "x", 1, &e), SLX_EIO);
    assert_int_equal(mkdir(in_folder("v/d"), 0700), 0);
    assert_int_equal(slx_write_file(in_folder("v/d"), "x", 1, &e), SLX_EINPUT);
    assert_int_equal(entries(in_folder("v")), 1);
    assert_int_equal(entries(in_folder("v/d")), 0);
    put(in_folder("v/full"), "old");
    int status = child_ends(write_with_little_room);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_content(in_folder("v/full"), "old");
    assert_int_equal(entries(in_folder("v")), 2);
}

static void test_find(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".yaml", NULL};
    char path[1024];
    slx_err e;
    assert_int_equal(mkdir(in_folder("find-me"), 0700), 0);
    assert_int_equal(mkdir(in_folder("find-me/things"), 0700), 0);
    put(in_folder("find-me/things/alpha-1.yaml"), "");
    put(in_folder("find-me/things/beta.yaml"), "");
    put(in_folder("find-me/things/notes.txt"), "");
    setenv("SILEX_HOME", in_folder("find-me"), 1);
    assert_int_equal(slx_find_file(path, "things", "alpha-1", suffixes, &e), SLX_OK);
    assert_string_equal(path, in_folder("find-me/things/alpha-1.yaml"));
    assert_int_equal(slx_find_file(path, "things", "alpha-1.yaml", suffixes, &e), SLX_OK);
    assert_int_equal(slx_find_file(path, "things", "notes.txt", NULL, &e), SLX_OK);
    assert_int_equal(slx_find_file(path, "none", in_folder("find-me/things/beta.yaml"), NULL, &e),
                     SLX_OK);
    assert_string_equal(path, in_folder("find-me/things/beta.yaml"));
    assert_int_equal(slx_find_file(path, "things", "alpha1", suffixes, &e), SLX_EINPUT);
    assert_string_equal(e.file, "alpha1");
    assert_string_equal(e.msg, "no such file, and no such name in things; did you mean alpha-1?"
                               " There are: alpha-1, beta");
    assert_int_equal(slx_find_file(path, "things", "omicron", suffixes, &e), SLX_EINPUT);
    assert_string_equal(e.msg,
                        "no such file, and no such name in things; there are: alpha-1, beta");
    assert_int_equal(slx_find_file(path, "nowhere", "omicron", suffixes, &e), SLX_EINPUT);
    assert_int_equal(slx_find_file(path, "things", "./alpha-1", suffixes, &e), SLX_EINPUT);
    assert_int_equal(slx_find_file(path, "things", "", suffixes, &e), SLX_EINPUT);
    unsetenv("SILEX_HOME");
    assert_int_equal(slx_find_file(path, "src/base", "base", (const char *const[]){".h", NULL}, &e),
                     SLX_OK);
    assert_string_equal(path, SLX_SOURCE_DIR "/src/base/base.h");
}

/* ------------------------------------------------------------------ hashes, random numbers */

static const uint64_t XXH_RAMP = UINT64_C(0x6be03acbf959c413);

static void test_xxh64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t want;
    } vectors[] = {
        {"", UINT64_C(0xef46db3751d8e999)},
        {"a", UINT64_C(0xd24ec4f1a98c6e5b)},
        {"as", UINT64_C(0x1c330fb2d66be179)},
        {"asd", UINT64_C(0x631c37ce72a97393)},
        {"asdf", UINT64_C(0x415872f599cea71e)},
        {"Call me Ishmael. Some years ago--never mind how long precisely-",
         UINT64_C(0x02a2e85470d6fd96)},
        {"The quick brown fox jumps over the lazy dog", UINT64_C(0x0b242d361fda71bc)},
        {"abcdefghijklmnopqrstuvwxyz012345", UINT64_C(0xbf2cd639b4143b80)},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_true(slx_hash_of(vectors[i].text, strlen(vectors[i].text)) == vectors[i].want);
    uint8_t bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + 1);
    assert_true(slx_hash_of(bytes, sizeof bytes) == XXH_RAMP);
    for (size_t cut = 0; cut < 100; cut++) { /* however it is cut, and while it goes on */
        slx_hash h;
        slx_hash_init(&h);
        slx_hash_add(&h, bytes, cut);
        assert_true(slx_hash_get(&h) == slx_hash_of(bytes, cut));
        for (size_t i = cut; i < sizeof bytes; i += cut + 1)
            slx_hash_add(&h, bytes + i, i + cut + 1 < sizeof bytes ? cut + 1 : sizeof bytes - i);
        assert_true(slx_hash_get(&h) == XXH_RAMP);
    }
}

static void test_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mnopqrsmnopqrst"
         "nopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[65];
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        slx_sha256_hex(hex, vectors[i].text, strlen(vectors[i].text));
        assert_string_equal(hex, vectors[i].want);
    }
    char *million = slx_xmalloc(1000000);
    memset(million, 'a', 1000000);
    slx_sha256_hex(hex, million, 1000000);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void test_rng(void **state)
{
    (void)state;
    slx_rng r = {1234567};
    static const uint64_t want[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                    UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
    for (int i = 0; i < 4; i++) assert_true(slx_rng_u64(&r) == want[i]);
    int seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint32_t v = slx_rng_below(&r, 7);
        assert_true(v < 7);
        seen[v]++;
        double f = slx_rng_f64(&r);
        assert_true(f >= 0 && f < 1);
    }
    for (int i = 0; i < 7; i++) assert_in_range(seen[i], 9600, 10400); /* 4 sigma is 370 */
}

static void test_host(void **state)
{
    (void)state;
    double a = slx_now_s(), b = slx_now_s();
    assert_true(b >= a && b - a < 10);
    assert_in_range(slx_host_threads(), 1, 1 << 20);
    assert_true(slx_host_threads() <= sysconf(_SC_NPROCESSORS_CONF));
    size_t n = 32 << 20;
    uint64_t before = slx_peak_rss_bytes();
    assert_true(before > 100000);
    uint8_t *p = slx_aalloc(n);
    for (size_t i = 0; i < n; i += 4096) p[i] = 1;
    assert_true(slx_peak_rss_bytes() >= before + n / 2);
    slx_afree(p, n);
}

/* ------------------------------------------------------------------ threads */

enum { MEETINGS = 2000, MEMBERS = 8 };

typedef struct {
    slx_team *team;
    /* not atomic: only the meeting orders the accesses, which ThreadSanitizer checks */
    int plain[2][MEMBERS];
    atomic_int calls, wrong;
} meeting;

static void meet_often(void *arg, int i, int n)
{
    meeting *m = arg;
    atomic_fetch_add(&m->calls, 1);
    for (int k = 0; k < MEETINGS; k++) {
        m->plain[k % 2][i] = k + 1;
        slx_team_meet(m->team);
        for (int j = 0; j < n; j++)
            if (m->plain[k % 2][j] != k + 1) atomic_fetch_add(&m->wrong, 1);
    }
}

static void test_team_meets(void **state)
{
    (void)state;
    /* 8 members on few CPUs: more members than CPUs */
    for (int n = 1; n <= MEMBERS; n = n < 3 ? n + 1 : n + 5) {
        meeting m = {.team = slx_team_open(n)};
        assert_int_equal(slx_team_size(m.team), n);
        slx_team_run(m.team, meet_often, &m);
        slx_team_run(m.team, meet_often, &m);
        assert_int_equal(m.calls, 2 * n);
        assert_int_equal(m.wrong, 0);
        slx_team_close(m.team);
    }
}

static void add_index(void *arg, int i, int n)
{
    int *out = arg;
    out[i] += i + n;
}

static void test_team_runs_many_jobs(void **state)
{
    (void)state;
    slx_team *t = slx_team_open(4);
    int out[4] = {0};
    for (int k = 0; k < 3000; k++) {
        slx_team_run(t, add_index, out); /* plain memory: the end of a run orders it */
        if (k % 500 == 0) usleep(2000);  /* long enough for the workers to fall asleep */
    }
    for (int i = 0; i < 4; i++) assert_int_equal(out[i], 3000 * (i + 4));
    slx_team_close(t);
    slx_team_close(slx_team_open(0)); /* one member, and no job before the end */
    slx_team_close(slx_team_open(3));
    slx_team_close(NULL);
}

typedef struct {
    pthread_t caller;
    int same;
} identity;

static void note_caller(void *arg, int i, int n)
{
    (void)n;
    identity *id = arg;
    if (i == 0) id->same = pthread_equal(pthread_self(), id->caller);
}

static void test_member_zero_is_the_caller(void **state)
{
    (void)state;
    identity id = {.caller = pthread_self()};
    slx_team *t = slx_team_open(2);
    slx_team_run(t, note_caller, &id);
    assert_true(id.same);
    slx_team_close(t);
}

static void note_mask(void *arg, int i, int n)
{
    (void)n;
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    ((int *)arg)[i] = sigismember(&now, SIGINT);
}

static void test_only_the_caller_hears_interrupts(void **state)
{
    (void)state;
    int blocked[3] = {9, 9, 9};
    slx_team *t = slx_team_open(3);
    slx_team_run(t, note_mask, blocked);
    slx_team_close(t);
    assert_int_equal(blocked[0], 0);
    assert_int_equal(blocked[1], 1);
    assert_int_equal(blocked[2], 1);
}

/* ------------------------------------------------------------------ progress, Ctrl-C */

static void interrupt_twice(void)
{
    slx_catch_interrupt();
    if (slx_interrupted()) _exit(10);
    raise(SIGINT);
    if (!slx_interrupted()) _exit(11);
    raise(SIGINT);
    _exit(12);
}

static void test_interrupt(void **state)
{
    (void)state;
    int status = child_ends(interrupt_twice); /* the first is noted, the second ends the process */
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    slx_progress p;
    slx_progress_start(&p, "nothing");
    slx_progress_at(&p, 0.5);
    assert_false(p.shown);
    slx_progress_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_error_print),
        cmocka_unit_test(test_error_of_error),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_refuses_absurd_sizes),
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_parse_i64),
        cmocka_unit_test(test_parse_f64),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_fails_cleanly),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_xxh64),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_rng),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_team_meets),
        cmocka_unit_test(test_team_runs_many_jobs),
        cmocka_unit_test(test_member_zero_is_the_caller),
        cmocka_unit_test(test_only_the_caller_hears_interrupts),
        cmocka_unit_test(test_interrupt),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
