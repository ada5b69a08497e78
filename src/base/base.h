/* base.h - what every layer stands on: errors, arenas, strings, files, hashing, threads.
 *
 * Nothing here knows what Silex is for. Rules that hold for the whole project:
 *   - wrong input is returned as an slx_status with details in the caller's slx_err (kind 1);
 *   - a fault of the simulated program has its own type in func.h (kind 2);
 *   - a bug in Silex aborts through SLX_BUG (kind 3).
 * Memory comes from arenas freed as a whole; allocation never returns NULL.
 */
#ifndef SLX_BASE_H
#define SLX_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ------------------------------------------------------------------ status and errors */

/* One row a status: enumerator, text. Exit codes of the command follow from it (slx_exit_code). */
#define SLX_STATUS_MAP(X)                                                                       \
    X(SLX_OK, "ok")                                                                             \
    X(SLX_EINPUT, "wrong input")              /* a file, flag or request is wrong   exit 2 */   \
    X(SLX_EUNSUPPORTED, "not supported")      /* well-formed, refused by name       exit 2 */   \
    X(SLX_EIO, "cannot read or write")        /* the system refused                 exit 2 */   \
    X(SLX_ENOMEM, "needs too much memory")    /* refused before allocating          exit 2 */   \
    X(SLX_EFAULT, "the program faulted")      /* the simulated program did it       exit 3 */   \
    X(SLX_EINTERRUPTED, "interrupted")        /* Ctrl-C                           exit 130 */

typedef enum {
#define X(name, text) name,
    SLX_STATUS_MAP(X)
#undef X
} slx_status;

/* What went wrong and where. Plain data; the caller owns it, usually on the stack. */
typedef struct {
    slx_status code;
    char file[256];      /* "" when no file is concerned; may hold "file: key" style places */
    int line, col;       /* 1-based; 0 = unknown */
    char msg[768];       /* "found X, expected Y" without the place */
    char source[256];    /* the offending source line of a text file, "" if none */
} slx_err;

const char *slx_status_text(slx_status s);
int slx_exit_code(slx_status s);

/* Fills err (which may be NULL) and returns code. */
slx_status slx_fail(slx_err *err, slx_status code, const char *file, int line, int col,
                    const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Prints "file:line: msg" and, when source is known, the line with a caret. */
void slx_err_print(const slx_err *err, FILE *out);

#define SLX_TRY(x)                                                                                 \
    do {                                                                                           \
        slx_status slx_try_status_ = (x);                                                          \
        if (slx_try_status_ != SLX_OK) return slx_try_status_;                                     \
    } while (0)

_Noreturn void slx_bug(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define SLX_BUG(...) slx_bug(__FILE__, __LINE__, __VA_ARGS__)
#define SLX_ASSERT(c) ((c) ? (void)0 : SLX_BUG("assertion failed: %s", #c))

/* ------------------------------------------------------------------ arena */

/* A growing arena of zeroed memory. Freed as a whole; addresses never move. Not thread safe. */
typedef struct slx_arena_block slx_arena_block;
typedef struct {
    slx_arena_block *blocks; /* newest first */
    char *beg, *end;         /* free part of the newest block */
    size_t used_bytes;       /* handed out, alignment included */
} slx_arena;

void slx_arena_init(slx_arena *a);
void slx_arena_deinit(slx_arena *a);
/* Zeroed. When the system has no memory left the process says so and exits with 2: callers refuse
 * absurd sizes before. */
void *slx_push(slx_arena *a, size_t bytes, size_t align);
#define slx_new(a, T, n) ((T *)slx_push((a), slx_mul_size(sizeof(T), (size_t)(n)), _Alignof(T)))
size_t slx_mul_size(size_t a, size_t b); /* SLX_BUG on overflow */
char *slx_strdup(slx_arena *a, const char *s);
char *slx_sprintf(slx_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* malloc family for what has no nested lifetime; never NULL. */
void *slx_xmalloc(size_t bytes);
void *slx_xcalloc(size_t n, size_t bytes);
void *slx_xrealloc(void *p, size_t bytes);
/* 64-byte aligned (2 MiB and huge-page advised when large), zeroed; free with
 * slx_afree(p, bytes). */
void *slx_aalloc(size_t bytes);
void slx_afree(void *p, size_t bytes);
/* Zeroed, page aligned, and costs memory only where touched: for large sparse images. Free with the same size. */
void *slx_lazy_alloc(size_t bytes);
void slx_lazy_free(void *p, size_t bytes);

/* ------------------------------------------------------------------ strings */

typedef struct {
    const char *ptr; /* not terminated; borrowed */
    size_t len;
} slx_str;
slx_str slx_str_c(const char *s);
bool slx_str_eq(slx_str a, slx_str b);
bool slx_str_is(slx_str a, const char *b);

/* A growing byte string. Zero-initialise; slx_buf_free when done. Always NUL-terminated when
 * len > 0. */
typedef struct {
    char *ptr;
    size_t len, cap;
} slx_buf;
void slx_buf_add(slx_buf *b, const void *p, size_t n);
void slx_buf_addc(slx_buf *b, char c);
void slx_buf_adds(slx_buf *b, const char *s);
void slx_buf_addf(slx_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void slx_buf_free(slx_buf *b);

/* Whole-string number parsers; false when anything is left over or out of range. */
bool slx_parse_i64(const char *s, int64_t lo, int64_t hi, int64_t *out);
bool slx_parse_f64(const char *s, double lo, double hi, double *out);
/* Closest of n names to s by edit distance, or NULL when none is near: for "did you mean". */
const char *slx_nearest(const char *s, const char *const *names, int n);

/* UTF-8: decodes one code point at p (end exclusive); returns its length, 0 when malformed. */
int slx_utf8_get(const char *p, const char *end, uint32_t *cp);
int slx_utf8_put(char out[4], uint32_t cp); /* its length; what is no scalar value becomes U+FFFD */
bool slx_utf8_valid(const char *p, size_t n);

/* ------------------------------------------------------------------ files */

/* A read-only private map of a whole file. size 0 is legal (ptr NULL). */
typedef struct {
    const uint8_t *ptr;
    size_t size;
    char path[1024];
} slx_map;
slx_status slx_map_open(slx_map *m, const char *path, slx_err *err);
void slx_map_close(slx_map *m);
/* Tells the system that pages of [ptr, ptr+n) are not needed any more (their content stays
 * valid). */
void slx_map_release(const slx_map *m, const void *ptr, size_t n);

/* Reads a whole file or standard input ("-") into buf. */
slx_status slx_read_file(slx_buf *out, const char *path, slx_err *err);
/* Writes to a temporary name in the same folder and renames; on error nothing is left.
 * "-" is standard output. */
slx_status slx_write_file(const char *path, const void *p, size_t n, slx_err *err);
/* Finds a data file: NAME as a path; else NAME in SILEX_HOME/DIR, the source tree's DIR,
 * PREFIX/share/silex/DIR, with each of the suffixes tried (NULL-terminated list, may be empty). */
slx_status slx_find_file(char out[1024], const char *dir, const char *name,
                         const char *const *suffixes, slx_err *err);

/* Names that slx_find_file would find in DIR, without their suffix, sorted; at most cap. Strings lie in the arena. */
int slx_find_names(slx_arena *a, const char *dir, const char *const *suffixes, const char **names, int cap);

/* ------------------------------------------------------------------ hash, random, time, host */

/* 64-bit streaming hash (XXH64's published algorithm, seed 0), used for every digest users see. */
typedef struct {
    uint64_t v[4], total;
    uint8_t mem[32];
    uint32_t memsize;
} slx_hash;
void slx_hash_init(slx_hash *h);
void slx_hash_add(slx_hash *h, const void *p, size_t n);
uint64_t slx_hash_get(const slx_hash *h); /* the state is unchanged: more may be added */
uint64_t slx_hash_of(const void *p, size_t n);

/* SHA-256, for what leaves the house (model files, program files). out: 64 hex digits and NUL. */
void slx_sha256_hex(char out[65], const void *p, size_t n);

/* splitmix64; for tests and synthetic data, not for sampling (num has philox). */
typedef struct { uint64_t s; } slx_rng;
uint64_t slx_rng_u64(slx_rng *r);
uint32_t slx_rng_below(slx_rng *r, uint32_t n); /* uniform enough, n > 0 */
double slx_rng_f64(slx_rng *r);                 /* [0,1) */

double slx_now_s(void);           /* monotonic */
uint64_t slx_peak_rss_bytes(void);
int slx_host_threads(void);       /* CPUs this process may use */

/* ------------------------------------------------------------------ threads */

/* A fixed team: slx_team_run calls fn(arg, i, n) on n threads (the caller is member 0) and returns
 * when all have ended. Between the calls workers spin briefly, then sleep. slx_team_meet is a
 * barrier among the members inside fn: a bounded spin of some tens of microseconds, none at all
 * while members share a CPU, then a futex sleep. team.c says what was measured. */
typedef struct slx_team slx_team;
slx_team *slx_team_open(int n);
void slx_team_close(slx_team *t);
int slx_team_size(const slx_team *t);
void slx_team_run(slx_team *t, void (*fn)(void *arg, int i, int n), void *arg);
void slx_team_meet(slx_team *t);

/* ------------------------------------------------------------------ progress */

/* A progress line on stderr, only when it is a terminal and the work takes over two seconds. done
 * in 0..1. */
typedef struct {
    const char *what;
    double start_s, last_s;
    bool shown;
} slx_progress;
void slx_progress_start(slx_progress *p, const char *what);
void slx_progress_at(slx_progress *p, double done);
void slx_progress_end(slx_progress *p);
/* Set by SIGINT after slx_catch_interrupt(); long loops look at it and return SLX_EINTERRUPTED. */
void slx_catch_interrupt(void);
bool slx_interrupted(void);

#endif
