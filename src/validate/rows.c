/* rows.c - files of measured rows: comma-separated, the first line names the columns, times in ms unless their column
 * says us. The columns are those of the published files, so a copy and its original read alike.
 */
#include "validate/validate.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the table of sets */

static const slx_set sets[] = {
#define SET(name, file, kind, chip, only, power, fitted)                                           \
    {name, file, chip, SLX_FILE_##kind, only, power, fitted},
#include "validate/sets.def"
#undef SET
};
enum { N_SETS = sizeof sets / sizeof *sets };

int slx_n_sets(void)
{
    return N_SETS;
}

const slx_set *slx_set_at(int i)
{
    SLX_ASSERT(i >= 0 && i < N_SETS);
    return &sets[i];
}

const slx_set *slx_set_find(const char *name)
{
    for (int i = 0; i < N_SETS; i++)
        if (!strcmp(sets[i].name, name)) return &sets[i];
    return NULL;
}

/* ------------------------------------------------------------------ fields of a line */

enum { COLUMNS = 16, LINE_BYTES = 512 };

typedef struct {
    const char *path;
    int line, n_columns;
    char head[LINE_BYTES], text[LINE_BYTES];
    const char *column[COLUMNS], *field[COLUMNS];
    slx_err *err;
} reader;

static int split(char *text, const char *out[COLUMNS])
{
    int n = 0;
    for (char *p = text; p && n < COLUMNS;) {
        out[n++] = p;
        p = strchr(p, ',');
        if (p) *p++ = 0;
    }
    return n;
}

static slx_status bad(const reader *r, const char *column, const char *expected)
{
    const char *found = "nothing";
    for (int i = 0; i < r->n_columns; i++)
        if (!strcmp(r->column[i], column)) found = r->field[i];
    return slx_fail(r->err, SLX_EINPUT, r->path, r->line, 0, "%s: found %.60s, expected %s", column,
                    found, expected);
}

static const char *text_at(const reader *r, const char *column)
{
    for (int i = 0; i < r->n_columns; i++)
        if (!strcmp(r->column[i], column)) return r->field[i];
    return NULL;
}

static slx_status count_at(const reader *r, const char *column, int64_t least, uint64_t *out)
{
    int64_t v;
    const char *s = text_at(r, column);
    if (!s || !slx_parse_i64(s, least, INT64_C(1) << 40, &v))
        return bad(r, column, "a whole number");
    *out = (uint64_t)v;
    return SLX_OK;
}

static slx_status real_at(const reader *r, const char *column, double *out)
{
    const char *s = text_at(r, column);
    if (!s || !slx_parse_f64(s, 1e-12, 1e12, out)) return bad(r, column, "a number above 0");
    return SLX_OK;
}

/* ------------------------------------------------------------------ one row */

static void add_key(slx_row *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_key(slx_row *row, const char *fmt, ...)
{
    char key[192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(key, sizeof key, fmt, ap);
    va_end(ap);
    row->hash = slx_hash_of(key, (size_t)n);
}

slx_half slx_row_half(const slx_row *r)
{
    return r->hash & 1 ? SLX_HALF_TEST : SLX_HALF_FIT;
}

static slx_status dtype_at(const reader *r, const char *column, slx_lib_dtype *out)
{
    const char *s = text_at(r, column);
    if (!s) *out = SLX_LIB_FP16;
    if (!s) return SLX_OK;                     /* sets of one type do not say it */
    if (!strcmp(s, "sq")) *out = SLX_LIB_INT8; /* SmoothQuant */
    if (!strcmp(s, "sq") || slx_lib_dtype_parse(s, out)) return SLX_OK;
    return bad(r, column, "a dtype");
}

static slx_status gemm_row(const reader *r, slx_row *row)
{
    slx_lib_gemm_query *q = &row->ask.gemm;
    row->ask.kind = SLX_ASK_GEMM;
    SLX_TRY(count_at(r, "m", 1, &q->m));
    SLX_TRY(count_at(r, "n", 1, &q->n));
    SLX_TRY(count_at(r, "k", 1, &q->k));
    SLX_TRY(dtype_at(r, "dtype", &q->dtype));
    add_key(row, "%llu,%llu", (unsigned long long)q->n, (unsigned long long)q->k);
    return SLX_OK;
}

static slx_status attention_row(const reader *r, slx_row *row, bool decode)
{
    slx_lib_attention_query *q = &row->ask.attention;
    uint64_t past;
    row->ask.kind = SLX_ASK_ATTENTION;
    q->decode = decode;
    SLX_TRY(count_at(r, "batch_size", 1, &q->batch));
    SLX_TRY(count_at(r, "isl", 1, &q->q_len));
    SLX_TRY(count_at(r, "step", 0, &past));
    SLX_TRY(count_at(r, "num_heads", 1, &q->q_heads));
    SLX_TRY(count_at(r, "num_kv_heads", 1, &q->kv_heads));
    SLX_TRY(count_at(r, "head_dim", 1, &q->head_dim));
    SLX_TRY(dtype_at(r, "attn_dtype", &q->dtype));
    SLX_TRY(dtype_at(r, "kv_cache_dtype", &q->kv_dtype));
    q->context = q->q_len + past;
    if (decode) q->q_len = 1;
    add_key(row, "%llu,%llu,%llu,%llu", (unsigned long long)q->batch,
            (unsigned long long)q->q_heads, (unsigned long long)q->kv_heads,
            (unsigned long long)q->head_dim);
    return SLX_OK;
}

static slx_status collective_row(const reader *r, slx_row *row)
{
    static const struct {
        const char *name;
        slx_lib_coll op;
    } ops[] = {{"all_reduce", SLX_LIB_ALL_REDUCE},
               {"all_gather", SLX_LIB_ALL_GATHER},
               {"reduce_scatter", SLX_LIB_REDUCE_SCATTER},
               {"alltoall", SLX_LIB_ALL_TO_ALL}};
    slx_lib_collective_query *q = &row->ask.collective;
    const char *op = text_at(r, "op_name"), *impl = text_at(r, "kernel_source"),
               *type = text_at(r, "dtype");
    uint64_t chips, elements;
    int i = 0;
    row->ask.kind = SLX_ASK_COLLECTIVE;
    while (i < 4 && (!op || strcmp(op, ops[i].name) != 0)) i++;
    if (i == 4) return bad(r, "op_name", "all_reduce, all_gather, reduce_scatter or alltoall");
    SLX_TRY(count_at(r, "num_gpus", 2, &chips));
    SLX_TRY(count_at(r, "message_size", 1, &elements));
    q->op = ops[i].op;
    q->impl = impl && strstr(impl, "graph")   ? SLX_LIB_GRAPH
              : impl && strstr(impl, "eager") ? SLX_LIB_EAGER
                                              : SLX_LIB_NCCL;
    q->n_chips = (uint32_t)chips;
    q->bytes = (double)elements * (type && !strcmp(type, "int8") ? 1 : 2);
    add_key(row, "%s,%llu,%.0f", op, (unsigned long long)chips, q->bytes);
    return SLX_OK;
}

static slx_status rows_row(const reader *r, slx_row *row, const char *op)
{
    slx_lib_op_query *q = &row->ask.op;
    row->ask.kind = SLX_ASK_OP;
    q->dtype = SLX_LIB_FP16;
    q->eager = true;
    q->op = !strcmp(op, "softmax") ? SLX_LIB_SOFTMAX : SLX_LIB_LAYERNORM;
    SLX_TRY(count_at(r, "m", 1, &q->rows));
    SLX_TRY(count_at(r, "n", 1, &q->cols));
    add_key(row, "%llu,%llu", (unsigned long long)q->rows, (unsigned long long)q->cols);
    return SLX_OK;
}

static slx_status elements_row(const reader *r, slx_row *row)
{
    slx_lib_op_query *q = &row->ask.op;
    row->ask.kind = SLX_ASK_OP;
    *q = (slx_lib_op_query){.op = SLX_LIB_GELU, .rows = 1, .dtype = SLX_LIB_FP16, .eager = true};
    SLX_TRY(count_at(r, "elements", 1, &q->cols));
    add_key(row, "%llu", (unsigned long long)q->cols);
    return SLX_OK;
}

/* Text that outlives its line: one of a few words. */
static const char *word_of(const char *s)
{
    static const char *const words[] = {"norm",
                                        "qkv_proj",
                                        "q_proj",
                                        "k_proj",
                                        "v_proj",
                                        "o_proj",
                                        "gate_proj",
                                        "up_proj",
                                        "gate_up_proj",
                                        "down_proj",
                                        "act",
                                        "rope",
                                        "add",
                                        "lm_head",
                                        "embedding",
                                        "qk_norm",
                                        "bf16",
                                        "fp16",
                                        "fp8",
                                        "nvfp4",
                                        "vLLM-2024",
                                        "TensorRT-LLM-2024",
                                        "Deepspeed-MII-2024",
                                        "llama.cpp-2024",
                                        "int4_wo",
                                        "vLLM",
                                        "TensorRT-LLM",
                                        "SGLang"};
    for (size_t i = 0; s && i < sizeof words / sizeof *words; i++)
        if (!strcmp(s, words[i])) return words[i];
    return NULL;
}

static slx_status word_at(const reader *r, const char *column, const char **out)
{
    *out = word_of(text_at(r, column));
    return *out ? SLX_OK : bad(r, column, "a name that is known");
}

static slx_status small_at(const reader *r, const char *column, uint32_t *out)
{
    uint64_t v;
    SLX_TRY(count_at(r, column, 1, &v));
    if (v > 1u << 28) return bad(r, column, "a number of at most 2^28");
    *out = (uint32_t)v;
    return SLX_OK;
}

static slx_status model_at(const reader *r, const slx_rows *rows, const slx_shape **out)
{
    const char *s = text_at(r, "model");
    if (!s) return bad(r, "model", "a name in data/models");
    return slx_models_find(rows->models, s, out, r->err);
}

static slx_software software_of(const slx_set *s)
{
    return !strcmp(s->only, "plain")   ? SLX_SOFTWARE_PLAIN
           : !strcmp(s->only, "alone") ? SLX_SOFTWARE_ALONE
           : !strcmp(s->only, "eager") ? SLX_SOFTWARE_EAGER
                                       : SLX_SOFTWARE_SERVING;
}

static slx_status layer_row(const reader *r, const slx_rows *rows, const slx_set *s, slx_row *row)
{
    slx_layer_ask *q = &row->ask.layer;
    row->ask.kind = SLX_ASK_LAYER;
    SLX_TRY(model_at(r, rows, &q->model));
    SLX_TRY(word_at(r, "op", &q->op));
    SLX_TRY(word_at(r, "dtype", &q->dtype));
    SLX_TRY(small_at(r, "tokens", &q->tokens));
    SLX_TRY(small_at(r, "tp", &q->tp));
    q->software = software_of(s);
    add_key(row, "%s,%s,%u,%u", q->model->name, q->op, q->tokens, q->tp);
    return SLX_OK;
}

static slx_status pass_row(const reader *r, const slx_rows *rows, const slx_set *s, slx_row *row)
{
    slx_forward *f = &row->ask.pass;
    const char *phase = text_at(r, "phase"), *logits = text_at(r, "logits"),
               *cap = text_at(r, "power_cap_w");
    row->ask.kind = SLX_ASK_PASS;
    SLX_TRY(model_at(r, rows, &f->model));
    if (!phase || (strcmp(phase, "decode") != 0 && strcmp(phase, "prefill") != 0))
        return bad(r, "phase", "prefill or decode");
    SLX_TRY(word_at(r, "dtype", &f->dtype));
    SLX_TRY(small_at(r, "batch", &f->batch));
    SLX_TRY(small_at(r, "q_len", &f->q_len));
    SLX_TRY(small_at(r, "context", &f->context));
    SLX_TRY(small_at(r, "tp", &f->tp));
    if (cap && *cap) SLX_TRY(real_at(r, "power_cap_w", &f->power_cap_w));
    f->decode = !strcmp(phase, "decode");
    f->all_logits = logits && !strcmp(logits, "all");
    f->software = software_of(s);
    add_key(row, "%s,%s,%u,%u,%u,%u", f->model->name, phase, f->batch, f->q_len, f->context, f->tp);
    return SLX_OK;
}

static slx_status batch_row(const reader *r, const slx_rows *rows, slx_row *row)
{
    slx_static_ask *q = &row->ask.batch;
    row->ask.kind = SLX_ASK_STATIC;
    SLX_TRY(model_at(r, rows, &q->on.model));
    SLX_TRY(word_at(r, "framework", &q->framework));
    SLX_TRY(word_at(r, "dtype", &q->on.dtype));
    SLX_TRY(small_at(r, "batch", &q->batch));
    SLX_TRY(small_at(r, "isl", &q->isl));
    SLX_TRY(small_at(r, "osl", &q->osl));
    SLX_TRY(small_at(r, "tp", &q->on.tp));
    add_key(row, "%s,%s,%u,%u,%u", q->on.model->name, q->framework, q->batch, q->isl, q->on.tp);
    return SLX_OK;
}

static slx_status serving_row(const reader *r, const slx_rows *rows, slx_row *row)
{
    slx_serving_ask *q = &row->ask.serving.of;
    const char *what = text_at(r, "what");
    row->ask.kind = SLX_ASK_SERVING;
    SLX_TRY(model_at(r, rows, &q->on.model));
    SLX_TRY(word_at(r, "framework", &q->framework));
    SLX_TRY(word_at(r, "dtype", &q->on.dtype));
    SLX_TRY(word_at(r, "moe_dtype", &q->on.moe_dtype));
    SLX_TRY(word_at(r, "kv_dtype", &q->on.kv_dtype));
    SLX_TRY(real_at(r, "concurrency", &q->concurrency));
    SLX_TRY(small_at(r, "isl", &q->isl));
    SLX_TRY(small_at(r, "osl", &q->osl));
    SLX_TRY(small_at(r, "tp", &q->on.tp));
    SLX_TRY(small_at(r, "attention_dp", &q->on.attention_dp));
    SLX_TRY(small_at(r, "moe_ep", &q->on.moe_ep));
    row->ask.serving.ttft = what && !strcmp(what, "ttft");
    add_key(row, "%s,%s,%u,%u,%u", q->on.model->name, q->framework, q->isl, q->osl, q->on.tp);
    return SLX_OK;
}

static slx_status read_row(const reader *r, const slx_rows *rows, const slx_set *s, slx_row *row)
{
    *row = (slx_row){.line = r->line};
    switch (s->kind) {
    case SLX_FILE_GEMM: SLX_TRY(gemm_row(r, row)); break;
    case SLX_FILE_DECODE: SLX_TRY(attention_row(r, row, true)); break;
    case SLX_FILE_PREFILL: SLX_TRY(attention_row(r, row, false)); break;
    case SLX_FILE_COLLECTIVE: SLX_TRY(collective_row(r, row)); break;
    case SLX_FILE_ROWS: SLX_TRY(rows_row(r, row, s->only)); break;
    case SLX_FILE_ELEMENTS: SLX_TRY(elements_row(r, row)); break;
    case SLX_FILE_LAYERS: SLX_TRY(layer_row(r, rows, s, row)); break;
    case SLX_FILE_PASSES: SLX_TRY(pass_row(r, rows, s, row)); break;
    case SLX_FILE_BATCHES: SLX_TRY(batch_row(r, rows, row)); break;
    case SLX_FILE_SERVINGS: SLX_TRY(serving_row(r, rows, row)); break;
    }
    const char *half = text_at(r, "half"); /* where a file says it, that holds */
    if (half) row->hash = strcmp(half, "test") == 0;
    row->ask.power = s->power;
    row->ask.predictor = rows->predictor;
    if (s->power) return real_at(r, "power_w", &row->measured);
    if (text_at(r, "latency_ms")) return real_at(r, "latency_ms", &row->measured);
    SLX_TRY(real_at(r, "latency_us", &row->measured));
    row->measured /= 1e3;
    return SLX_OK;
}

/* Whether a line of the file belongs to the set. */
static bool of_set(const reader *r, const slx_set *s)
{
    const char *type = text_at(r, s->kind == SLX_FILE_COLLECTIVE ? "kernel_source" : "dtype");
    if (s->power && (!text_at(r, "power_w") || !*text_at(r, "power_w")))
        return false; /* not measured */
    if (s->kind == SLX_FILE_SERVINGS) return text_at(r, "what") && !strcmp(text_at(r, "what"), s->only);
    if (!*s->only || s->kind >= SLX_FILE_ROWS) return true;
    return type && (s->kind == SLX_FILE_COLLECTIVE ? strstr(type, s->only) != NULL
                                                   : !strcmp(type, s->only));
}

/* ------------------------------------------------------------------ the file */

static slx_status read_lines(slx_rows *out, reader *r, const slx_set *s, const char *text,
                             size_t len, slx_half half)
{
    int cap = 0;
    for (const char *p = text, *end = text + len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);
        r->line++;
        if (n && p[n - 1] == '\r') n--;
        if (n >= LINE_BYTES)
            return slx_fail(r->err, SLX_EINPUT, r->path, r->line, 0,
                            "found a line of %zu bytes, expected at most %d", n, LINE_BYTES - 1);
        char *to = r->n_columns ? r->text : r->head;
        memcpy(to, p, n);
        to[n] = 0;
        p = nl ? nl + 1 : end;
        if (!n) continue;
        if (!r->n_columns) {
            r->n_columns = split(r->head, r->column);
            continue;
        }
        int fields = split(r->text, r->field);
        if (fields != r->n_columns)
            return slx_fail(r->err, SLX_EINPUT, r->path, r->line, 0, "found %d fields, expected %d",
                            fields, r->n_columns);
        if (!of_set(r, s)) continue;
        if (out->n == cap) {
            cap = cap ? 2 * cap : 256;
            out->row = slx_xrealloc(out->row, (size_t)cap * sizeof *out->row);
        }
        SLX_TRY(read_row(r, out, s, &out->row[out->n]));
        if (half == SLX_HALF_BOTH || slx_row_half(&out->row[out->n]) == half) out->n++;
    }
    return SLX_OK;
}

static slx_status find_copy(char path[1024], const char *file, slx_err *err)
{
    char dir[256];
    const char *name = strrchr(file, '/') + 1;
    snprintf(dir, sizeof dir, "data/measured/%.*s", (int)(name - 1 - file), file);
    return slx_find_file(path, dir, name, NULL, err);
}

slx_status slx_rows_read(slx_rows *out, const slx_set *s, const char *dir, slx_half half,
                         slx_err *err)
{
    char path[1024];
    slx_map m;
    *out = (slx_rows){0};
    if (dir)
        snprintf(path, sizeof path, "%s/%s", dir, s->file);
    else
        SLX_TRY(find_copy(path, s->file, err));
    SLX_TRY(slx_map_open(&m, path, err));
    reader r = {.path = path, .err = err};
    if (s->kind >= SLX_FILE_LAYERS) {
        slx_predictor_open(&out->predictor);
        out->models = slx_models_open();
    }
    slx_status st = read_lines(out, &r, s, (const char *)m.ptr, m.size, half);
    slx_map_close(&m);
    if (st) slx_rows_free(out);
    return st;
}

void slx_rows_free(slx_rows *r)
{
    free(r->row);
    slx_predictor_close(r->predictor);
    slx_models_close(r->models);
    *r = (slx_rows){0};
}
