/* bench_panel.c - speed of the panel products on this host: GMAC/s and GB/s of weights by level,
 * format, K and rows.
 *
 *   make build/libsilex.a
 *   cc -O2 -Isrc -o build/bench_panel bench/bench_panel.c build/libsilex.a -lpthread -lm
 *   build/bench_panel [level|all [format|all [rows]]]
 *
 * "avx2+v" is level AVX2 with AVX-VNNI, "avx2" the same level as hosts without it have it.
 *
 * The weights are a stream of about 100 MB, the size of a small model, and each run goes on where
 * the last one ended, so one row reads memory as decoding does. The first lines give the plain read
 * bandwidth of the same memory, which no kernel can pass. Every figure is the best of several short
 * runs: other work on the machine only ever makes one slower.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "num/panel.h"

static const size_t STREAM_BYTES = 100u << 20;
static const double RUN_MACS = 1.2e9, RUN_BYTES = 40e6;
enum { MAX_THREADS = 2, RUNS = 9 };

typedef struct {
    const slx_panels *p;
    const slx_act *a;
    uint32_t first, count; /* panels, going round at the end */
    const uint8_t *read;   /* or: bytes to sum */
    size_t read_bytes;
    pthread_barrier_t *start;
    double begin_s, end_s;
    float *out;
    void *scratch;
} task;

static void *run(void *arg)
{
    task *t = arg;
    pthread_barrier_wait(t->start);
    t->begin_s = slx_now_s();
    if (t->read) {
        uint64_t s[8] = {0};
        for (size_t i = 0; i < t->read_bytes; i += 64) {
            __builtin_prefetch(t->read + i + 8192, 0, 3);
            for (int k = 0; k < 8; k++) s[k] += *(const uint64_t *)(t->read + i + k * 8);
        }
        t->out[0] = (float)(s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]);
    } else {
        uint32_t at = t->first;
        for (uint32_t left = t->count; left;) {
            uint32_t n = t->p->n_panels - at < 16 ? t->p->n_panels - at : 16;
            if (n > left) n = left;
            slx_panel_mul(t->p, t->a, at, n, t->out, 256, t->scratch);
            left -= n;
            at = at + n == t->p->n_panels ? 0 : at + n;
        }
    }
    t->end_s = slx_now_s();
    return NULL;
}

static double together_s(task *t, int n)
{
    pthread_t id[MAX_THREADS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)n);
    for (int i = 0; i < n; i++) t[i].start = &start;
    for (int i = 1; i < n; i++)
        if (pthread_create(&id[i], NULL, run, &t[i])) SLX_BUG("no thread");
    run(&t[0]);
    double begin = t[0].begin_s, end = t[0].end_s;
    for (int i = 1; i < n; i++) {
        pthread_join(id[i], NULL);
        if (t[i].begin_s < begin) begin = t[i].begin_s;
        if (t[i].end_s > end) end = t[i].end_s;
    }
    pthread_barrier_destroy(&start);
    return end - begin;
}

static bool host_has(slx_cpu level)
{
    return slx_kern_at(level) != NULL;
}

/* Reads all weights again and again, as decoding does, until the outer caches have settled on them:
 * on some hosts the bandwidth of a new buffer doubles over twenty passes. */
static void warm_up(const uint8_t *mem, size_t n)
{
    volatile uint64_t sink;
    for (int pass = 0; pass < 24; pass++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < n; i += 64) {
            __builtin_prefetch(mem + i + 8192, 0, 3);
            sum += mem[i];
        }
        sink = sum;
    }
    (void)sink;
}

/* Fills the panels with what costs as much as real weights: random codes, ordinary scales. */
static void fill(slx_panels *p)
{
    slx_rng r = {1};
    uint8_t *codes = slx_xmalloc((size_t)p->kblk * 32), *e = slx_xmalloc(p->kblk);
    uint16_t *d = slx_xmalloc((size_t)p->kblk * 2);
    for (uint32_t i = 0; i < p->kblk * 32; i++) codes[i] = (uint8_t)(slx_rng_u64(&r) % 127);
    for (uint32_t i = 0; i < p->kblk; i++) {
        d[i] = (uint16_t)(0x2800 + slx_rng_below(&r, 0x400));
        e[i] = (uint8_t)(120 + slx_rng_below(&r, 8));
    }
    for (uint32_t n = 0; n < p->n; n++)
        slx_panels_put(p, n, codes, p->fmt == SLX_NF_MXINT8 ? (void *)e : (void *)d, d);
    free(codes);
    free(e);
    free(d);
}

static const struct {
    slx_num_fmt fmt;
    const char *name;
    int block_bytes;
} formats[] = {{SLX_NF_Q4SM, "Q4SM", 20},
               {SLX_NF_Q4S, "Q4S", 18},
               {SLX_NF_Q8S, "Q8S", 34},
               {SLX_NF_MXINT8, "MXINT8", 33}};

static void read_bandwidth(void)
{
    uint8_t *mem = slx_aalloc(STREAM_BYTES + 16384);
    memset(mem, 1, STREAM_BYTES + 16384);
    warm_up(mem, STREAM_BYTES);
    float out[MAX_THREADS];
    for (int threads = 1; threads <= MAX_THREADS; threads++) {
        double best = 1e9;
        for (int i = 0; i < RUNS; i++) {
            task t[MAX_THREADS] = {0};
            for (int k = 0; k < threads; k++)
                t[k] = (task){.read = mem + STREAM_BYTES / 2 * (size_t)k,
                              .read_bytes = STREAM_BYTES / (size_t)threads,
                              .out = &out[k]};
            double s = together_s(t, threads);
            if (s < best) best = s;
        }
        printf("read bandwidth, %d thread%s: %.1f GB/s\n", threads, threads > 1 ? "s" : "",
               (double)STREAM_BYTES / best * 1e-9);
    }
    slx_afree(mem, STREAM_BYTES + 16384);
}

static void bench_rows(const slx_panels *p, const char *level, const char *name, uint32_t rows,
                       int block_bytes)
{
    slx_act a = {.level = p->level,
                 .rows = rows,
                 .kblk = p->kblk,
                 .bytes = slx_act_bytes(p->level, rows, p->kblk)};
    a.data = slx_aalloc(a.bytes);
    slx_rng r = {2};
    int8_t *codes = slx_xmalloc((size_t)rows * p->kblk * 32);
    uint8_t *scales = slx_xmalloc((size_t)rows * p->kblk);
    for (size_t i = 0; i < (size_t)rows * p->kblk * 32; i++)
        codes[i] = (int8_t)((int)slx_rng_below(&r, 255) - 127);
    memset(scales, 125, (size_t)rows * p->kblk);
    double put_s = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double s = slx_now_s();
        slx_act_put(&a, 0, rows, codes, scales);
        s = slx_now_s() - s;
        if (s < put_s) put_s = s;
    }
    printf("%-7s %-7s %5u %5u ", level, name, p->kblk * 32, rows);
    uint32_t at = 0;
    for (int threads = 1; threads <= MAX_THREADS; threads++) {
        double panel_macs = 16.0 * 32 * p->kblk * rows,
               macs = RUN_MACS * threads / (p->level ? 1 : 20);
        if (macs / rows * block_bytes / 32 > RUN_BYTES * threads)
            macs = RUN_BYTES * threads * rows * 32 / block_bytes;
        uint32_t count = (uint32_t)(macs / panel_macs / threads) + 1;
        task t[MAX_THREADS] = {0};
        for (int k = 0; k < threads; k++)
            t[k] = (task){.p = p,
                          .a = &a,
                          .count = count,
                          .out = slx_aalloc((size_t)rows * 256 * 4),
                          .scratch = slx_aalloc(slx_panel_scratch_bytes(p, rows))};
        double best = 1e9;
        for (int i = 0; i < RUNS; i++) {
            for (int k = 0; k < threads; k++) {
                t[k].first = at;
                at = (at + count) % p->n_panels;
            }
            double s = together_s(t, threads);
            if (s < best) best = s;
        }
        double done = panel_macs * count * threads;
        printf(" %9.1f %7.1f", done / best * 1e-9, done / rows / 32 * block_bytes / best * 1e-9);
        for (int k = 0; k < threads; k++) {
            slx_afree(t[k].out, (size_t)rows * 256 * 4);
            slx_afree(t[k].scratch, slx_panel_scratch_bytes(p, rows));
        }
    }
    printf(" %12.2f\n", put_s * 1e9 / rows / p->kblk);
    fflush(stdout);
    free(codes);
    free(scales);
    slx_afree(a.data, a.bytes);
}

int main(int argc, char **argv)
{
    const char *only_level = argc > 1 ? argv[1] : "all", *only_format = argc > 2 ? argv[2] : "all";
    int64_t only_rows = 0;
    if (argc > 3 && !slx_parse_i64(argv[3], 1, 4096, &only_rows)) {
        fprintf(stderr, "bench_panel: rows: found %s, expected 1..4096\n", argv[3]);
        return 2;
    }
    static const uint32_t row_counts[] = {1, 2, 4, 8, 16, 64, 512}, ks[] = {576, 1536};
    read_bandwidth();
    printf("                              1 thread          2 threads        prepare\n");
    printf("level   format      K  rows     GMAC/s    GB/s    GMAC/s    GB/s     ns/block\n");
    for (int level = SLX_N_CPU - 1; level >= 0; level--) {
        if (!host_has((slx_cpu)level) ||
            (strcmp(only_level, "all") && strcmp(only_level, slx_cpu_names[level])))
            continue;
        for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
            if (strcmp(only_format, "all") && strcmp(only_format, formats[f].name)) continue;
            for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
                uint32_t kblk = ks[k] / 32;
                uint32_t n =
                    (uint32_t)(STREAM_BYTES / ((size_t)kblk * (size_t)formats[f].block_bytes));
                slx_panels p;
                slx_panels_init(&p, formats[f].fmt, (slx_cpu)level, n, kblk, ks[k] < 1024 ? 2 : 3);
                fill(&p);
                warm_up(p.data, p.panel_bytes * p.n_panels);
                do {
                    const char *name = p.vnni ? "avx2+v" : slx_cpu_names[level];
                    for (size_t i = 0; i < sizeof row_counts / sizeof *row_counts; i++)
                        if (!only_rows || only_rows == row_counts[i])
                            bench_rows(&p, name, formats[f].name, row_counts[i],
                                       formats[f].block_bytes);
                    if (!p.vnni) break;
                    p.vnni = false; /* once more, as on a host without */
                } while (true);
                slx_panels_deinit(&p);
            }
        }
    }
    return 0;
}
