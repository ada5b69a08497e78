/* query.c - questions in, predictions out: one JSON object a line, in order.
 *
 * A question that cannot be answered gets null and the reason, a malformed one also makes the run fail at its end;
 * neither stops it. Chips are kept: a file of questions asks few of them often.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "validate/query_int.h"

enum { LINE_BYTES_MAX = 1 << 20, CHIPS_MAX = 256, FLUSH_LINES = 1000 };

typedef struct {
    char *key; /* name, or name and figures */
    slx_chip *chip;
    bool described; /* by figures in the question, not a file */
    char why[400];  /* when there is none */
} kept_chip;

struct slx_queries {
    kept_chip chips[CHIPS_MAX];
    int n_chips;
    slx_predictor *predictor;
    slx_models *models;
    slx_traffic_memo memo;
    slx_query_ids ids;
};

/* ------------------------------------------------------------------ fields */

static void set_why(slx_question *q, const char *fmt, va_list ap)
{
    if (!*q->why) vsnprintf(q->why, sizeof q->why, fmt, ap);
}

bool slx_cannot(slx_question *q, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_why(q, fmt, ap);
    va_end(ap);
    return false;
}

bool slx_fails(slx_question *q, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_why(q, fmt, ap);
    va_end(ap);
    q->fails = true;
    return false;
}

bool slx_malformed(slx_question *q, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    q->malformed = true;
    return slx_cannot(q, "line %d: %s", q->number, text);
}

static bool wrong(slx_question *q, const char *name, const json_t *found, const char *expected)
{
    char *text =
        found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (!found)
        slx_malformed(q, "field %s: missing, expected %s", name, expected);
    else
        slx_malformed(q, "field %s: found %.60s, expected %s", name, text ? text : "?", expected);
    free(text);
    return false;
}

static const double count_most = 1e15;

bool slx_field_count(slx_question *q, const json_t *o, const char *name, int64_t least, bool needed,
                     uint64_t *out)
{
    char expected[64];
    const json_t *v = json_object_get(o, name);
    if ((!v || json_is_null(v)) && !needed) return true;
    snprintf(expected, sizeof expected, "an integer >= %lld", (long long)least);
    double d = json_number_value(v);
    if (!json_is_number(v) || d != floor(d) || d < (double)least)
        return wrong(q, name, v, expected);
    if (d > count_most) return wrong(q, name, v, "an integer up to 1e15");
    *out = (uint64_t)d;
    return true;
}

bool slx_field_real(slx_question *q, const json_t *o, const char *name, bool needed, double *out)
{
    const json_t *v = json_object_get(o, name);
    if ((!v || json_is_null(v)) && !needed) return true;
    if (!json_is_number(v) || json_number_value(v) < 0) return wrong(q, name, v, "a number >= 0");
    *out = json_number_value(v);
    return true;
}

bool slx_field_text(slx_question *q, const json_t *o, const char *name, bool needed,
                    const char **out)
{
    const json_t *v = json_object_get(o, name);
    if ((!v || json_is_null(v)) && !needed) return true;
    if (!json_is_string(v)) return wrong(q, name, v, "a text");
    *out = json_string_value(v);
    return true;
}

static bool choose(slx_question *q, const char *name, const char *text, const char *const *choices,
                   int *out)
{
    slx_buf b = {0};
    for (int i = 0; choices[i]; i++) {
        if (!strcmp(text, choices[i])) {
            *out = i;
            slx_buf_free(&b);
            return true;
        }
        slx_buf_addf(&b, "%s%s", i ? ", " : "", choices[i]);
    }
    slx_cannot(q, "%s: found \"%.40s\", expected one of %s", name, text, b.ptr);
    slx_buf_free(&b);
    return false;
}

bool slx_field_choice(slx_question *q, const json_t *o, const char *name, bool needed,
                      const char *const *choices, int *out)
{
    const char *text = NULL;
    if (!slx_field_text(q, o, name, needed, &text)) return false;
    return !text || choose(q, name, text, choices, out);
}

bool slx_field_dtype(slx_question *q, const char *name, bool needed, slx_lib_dtype *out)
{
    const char *text = NULL;
    if (!slx_field_text(q, q->o, name, needed, &text)) return false;
    if (!text || slx_lib_dtype_parse(text, out)) return true;
    return slx_cannot(
        q,
        "%s: found \"%.40s\", expected one of%s", name, text, slx_lib_dtype_list);
}

/* ------------------------------------------------------------------ chips */

/* A peak of 0 says that there is no such format; one left out says nothing. */
static bool spec_format(slx_question *q, const json_t *spec, const char *key, double *to)
{
    double peak = NAN;
    if (!slx_field_real(q, spec, key, false, &peak)) return false;
    *to = slx_chip_format_figure(peak);
    return true;
}

static bool spec_figures(slx_question *q, const json_t *spec, const char *name, slx_chip_figures *f)
{
    double fp16 = 0, mem_gb_s = 0;
    *f = (slx_chip_figures){.name = name};
    if (!json_is_object(spec)) return wrong(q, "chip_spec", spec, "an object of published figures");
    if (!spec_format(q, spec, "fp8_tflops", &f->fp8_tflops) || !spec_format(q, spec, "fp4_tflops", &f->fp4_tflops))
        return false;
    const struct {
        const char *key;
        double *to;
    } keys[] = {
        {"units", &f->units},    {"clock_ghz", &f->clock_ghz},   {"bf16_tflops", &f->bf16_tflops},
        {"fp16_tflops", &fp16},
        {"mem_gb_s", &mem_gb_s}, {"mem_gib", &f->mem_gib},       {"cache_mib", &f->cache_mib},
        {"tdp_w", &f->tdp_w},    {"link_gb_s", &f->link_gbs}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!slx_field_real(q, spec, keys[i].key, false, keys[i].to)) return false;
    if (!slx_field_text(q, spec, "family", false, &f->family)) return false;
    if (!(f->bf16_tflops > 0)) f->bf16_tflops = fp16;
    f->mem_tbs = mem_gb_s / 1e3;
    return true;
}

static const kept_chip *keep(slx_queries *s, slx_question *q, const char *key, const char *name,
                             const json_t *spec)
{
    slx_err err;
    slx_chip *c = NULL;
    slx_status st;
    for (int i = 0; i < s->n_chips; i++)
        if (!strcmp(s->chips[i].key, key)) return &s->chips[i];
    st = strpbrk(name, "/") || !strcmp(name, "-")
             ? slx_fail(&err, SLX_EINPUT, name, 0, 0, "found a path, expected a name in chips")
             : slx_chip_load_any(&c, name, &err);
    if (st && !strpbrk(name, "/") && slx_chip_by_other_name(&c, name)) st = SLX_OK;
    bool described = st && spec;
    if (described) {
        slx_chip_figures f;
        if (!spec_figures(q, spec, name, &f)) return NULL;
        st = slx_chip_from_figures(&c, &f, &err);
    }
    if (s->n_chips == CHIPS_MAX) { /* forget the oldest */
        free(s->chips[0].key);
        slx_chip_free(s->chips[0].chip);
        memmove(s->chips, s->chips + 1, sizeof s->chips - sizeof *s->chips);
        s->n_chips--;
    }
    kept_chip *k = &s->chips[s->n_chips++];
    *k = (kept_chip){.key = strdup(key), .chip = c, .described = described};
    SLX_ASSERT(k->key);
    if (st) snprintf(k->why, sizeof k->why, "chip %.40s: %.340s", name, err.msg);
    return k;
}

static bool find_chip(slx_queries *s, slx_question *q)
{
    const char *name = NULL;
    const json_t *spec = json_object_get(q->o, "chip_spec");
    if (json_is_null(spec)) spec = NULL;
    if (!slx_field_text(q, q->o, "chip", !spec, &name)) return false;
    if (!name) name = "chip_spec";
    slx_buf key = {0};
    slx_buf_adds(&key, name);
    if (spec) {
        char *text = json_dumps(spec, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        slx_buf_addf(&key, "\n%s", text ? text : "");
        free(text);
    }
    const kept_chip *k = keep(s, q, key.ptr, name, spec);
    slx_buf_free(&key);
    if (!k) return false;
    q->chip = k->chip;
    q->described = k->described;
    return k->chip || slx_cannot(q, "%s", k->why);
}

/* ------------------------------------------------------------------ kinds about a kernel */

static bool ask_gemm(slx_question *q, slx_ask *a)
{
    a->kind = SLX_ASK_GEMM;
    return slx_field_count(q, q->o, "m", 1, true, &a->gemm.m) &&
           slx_field_count(q, q->o, "n", 1, true, &a->gemm.n) &&
           slx_field_count(q, q->o, "k", 1, true, &a->gemm.k) &&
           slx_field_dtype(q, "dtype", true, &a->gemm.dtype);
}

static bool ask_op(slx_question *q, slx_ask *a)
{
    static const char *const ops[] = {"softmax", "layernorm", "gelu", NULL};
    int op = 0;
    a->kind = SLX_ASK_OP;
    a->op.eager = true; /* as such kernels are measured: one call of the framework at a time */
    if (!slx_field_choice(q, q->o, "op", true, ops, &op)) return false;
    a->op.op = (slx_lib_row_op)op;
    return slx_field_count(q, q->o, "rows", 1, true, &a->op.rows) &&
           slx_field_count(q, q->o, "cols", 1, true, &a->op.cols) &&
           slx_field_dtype(q, "dtype", false, &a->op.dtype);
}

static bool ask_attention(slx_question *q, slx_ask *a)
{
    static const char *const phases[] = {"prefill", "decode", NULL};
    slx_lib_attention_query *t = &a->attention;
    int phase = 0;
    a->kind = SLX_ASK_ATTENTION;
    t->q_len = 1;
    if (!slx_field_choice(q, q->o, "phase", true, phases, &phase)) return false;
    t->decode = phase == 1;
    if (!slx_field_count(q, q->o, "batch", 1, true, &t->batch) ||
        !slx_field_count(q, q->o, "q_heads", 1, true, &t->q_heads) ||
        !slx_field_count(q, q->o, "kv_heads", 1, true, &t->kv_heads) ||
        !slx_field_count(q, q->o, "head_dim", 1, true, &t->head_dim) ||
        !slx_field_count(q, q->o, "context", 1, true, &t->context) ||
        !slx_field_count(q, q->o, "q_len", 1, !t->decode, &t->q_len) ||
        !slx_field_dtype(q, "dtype", false, &t->dtype) ||
        !slx_field_dtype(q, "kv_dtype", false, &t->kv_dtype))
        return false;
    if (t->q_heads % t->kv_heads)
        return slx_malformed(q, "field kv_heads: found %llu, expected a divisor of q_heads = %llu",
                             (unsigned long long)t->kv_heads, (unsigned long long)t->q_heads);
    if (t->context < t->q_len)
        return slx_malformed(q, "field context: found %llu, expected at least q_len = %llu",
                             (unsigned long long)t->context, (unsigned long long)t->q_len);
    return true;
}

static bool ask_collective(slx_question *q, slx_ask *a, bool all_reduce)
{
    static const char *const ops[] = {"all_reduce", "all_gather", "reduce_scatter", "alltoall",
                                      "send_recv",  "allreduce",  "all_to_all",     NULL};
    static const char *const impls[] = {"nccl", "custom_graph", "custom_eager", NULL};
    int op = 0, impl = 0;
    uint64_t chips = 0;
    a->kind = SLX_ASK_COLLECTIVE;
    if (!slx_field_choice(q, q->o, "op", !all_reduce, ops, &op) ||
        !slx_field_choice(q, q->o, "impl", false, impls, &impl) ||
        !slx_field_count(q, q->o, "n_chips", 1, true, &chips) ||
        !slx_field_real(q, q->o, "bytes", true, &a->collective.bytes))
        return false;
    if (!(a->collective.bytes >= 1))
        return wrong(q, "bytes", json_object_get(q->o, "bytes"), "a number >= 1");
    a->collective.op = op == 5   ? SLX_LIB_ALL_REDUCE
                       : op == 6 ? SLX_LIB_ALL_TO_ALL
                                 : (slx_lib_coll)op;
    a->collective.impl = (slx_lib_impl)impl;
    a->collective.n_chips = (uint32_t)fmin((double)chips, 1e6);
    return true;
}

static bool told_kernel(slx_question *q, const slx_ask *a)
{
    bool products = a->kind == SLX_ASK_GEMM, links = a->kind == SLX_ASK_COLLECTIVE;
    const char *dtype = products ? slx_lib_dtype_name(a->gemm.dtype) : NULL;
    if (a->power && !slx_query_told_power(q)) return false;
    return links ? slx_query_told_links(q) : slx_query_told_products(q, dtype);
}

static bool answer_kernel(slx_question *q, const char *kind, bool *known)
{
    static const char *const asks[] = {"latency", "power", NULL};
    slx_ask a = {0};
    slx_err err;
    int power = 0;
    bool ok;
    *known = true;
    if (!strcmp(kind, "gemm"))
        ok = ask_gemm(q, &a);
    else if (!strcmp(kind, "op"))
        ok = ask_op(q, &a);
    else if (!strcmp(kind, "attention"))
        ok = ask_attention(q, &a);
    else if (!strcmp(kind, "collective") || !strcmp(kind, "allreduce"))
        ok = ask_collective(q, &a, !strcmp(kind, "allreduce"));
    else
        return *known = false;
    if (!ok || !slx_field_choice(q, q->o, "ask", false, asks, &power)) return false;
    if (power && a.kind != SLX_ASK_GEMM && a.kind != SLX_ASK_ATTENTION)
        return slx_cannot(q, "power is modelled for gemm and attention alone");
    a.power = power;
    q->unit = power ? "W" : "ms";
    if (!told_kernel(q, &a)) return false;
    slx_query_ran(q, NULL, q->chip->library ? q->chip->lib.software : "");
    if (slx_ask_answer(q->chip, &a, &q->guess, &err) == SLX_OK) return true;
    return slx_cannot(q, "%s", err.msg);
}

/* ------------------------------------------------------------------ lines */

static bool answer(slx_queries *s, slx_question *q)
{
    static const char *const model_kinds[] = {"layer", "step", "serving"};
    const char *kind = NULL, *id = NULL;
    bool known;
    if (!slx_field_text(q, q->o, "id", true, &id) || !slx_field_text(q, q->o, "kind", true, &kind))
        return false;
    int first = slx_query_ids_add(&s->ids, id, q->number);
    if (first != q->number) /* answered all the same: whoever asked can tell the two by their order */
        slx_query_note(q, "line %d: field id: found that of line %d again, expected one of its own", q->number, first);
    if (!strcmp(kind, "tokenize")) return slx_query_tokenize(q);
    if (!strcmp(kind, "template")) return slx_query_template(q);
    bool of_model = false;
    for (int i = 0; i < 3; i++) of_model |= !strcmp(kind, model_kinds[i]);
    if (!find_chip(s, q)) return false;
    bool ok = answer_kernel(q, kind, &known);
    if (known) return ok;
    if (of_model) return slx_query_model(q, s->predictor, s->models, kind);
    return slx_cannot(q,
                      "kind: found \"%.40s\", expected gemm, op, attention, collective, allreduce, "
                      "layer, step, serving, "
                      "tokenize or template",
                      kind);
}

static void add_json(slx_buf *out, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    slx_buf_adds(out, text ? text : "null");
    free(text);
}

/* Left out where there is nothing to say. */
static void add_text(slx_buf *out, const char *name, const char *text)
{
    if (!text || !*text) return;
    json_t *v = json_string(text);
    if (!v) return; /* a name in the question that is no UTF-8 */
    slx_buf_addf(out, ",\"%s\":", name);
    add_json(out, v);
    json_decref(v);
}

static void print(const slx_question *q, bool answered, slx_buf *out)
{
    const json_t *id = json_object_get(q->o, "id");
    slx_buf_adds(out, "{\"id\":");
    add_json(out, json_is_string(id) ? id : NULL);
    if (answered && q->value) {
        slx_buf_adds(out, ",\"value\":");
        add_json(out, q->value);
        slx_buf_addf(out, ",\"unit\":\"%s\"", q->unit);
        add_text(out, "note", q->note);
        slx_buf_adds(out, "}\n");
        return;
    }
    if (answered) {
        slx_buf_addf(out, ",\"value\":%.6g,\"unit\":\"%s\",\"low\":%.6g,\"high\":%.6g", q->guess.value, q->unit,
                     q->guess.low, q->guess.high);
        add_text(out, "timed_by", q->timed_by);
        add_text(out, "software", q->software);
        add_text(out, "note", q->note);
        slx_buf_adds(out, "}\n");
        return;
    }
    json_t *why = json_string(*q->why ? q->why : "not predicted");
    if (!why) why = json_string("the question holds bytes that are no text");
    slx_buf_addf(out, ",\"value\":null,\"%s\":", q->fails ? "error" : "why");
    add_json(out, why);
    add_text(out, "note", q->note);
    slx_buf_adds(out, "}\n");
    json_decref(why);
}

bool slx_queries_line(slx_queries *s, const char *line, size_t len, int number, slx_buf *out)
{
    json_error_t e;
    slx_question q = {.number = number, .memo = &s->memo};
    bool ok = false;
    if (len > LINE_BYTES_MAX)
        slx_malformed(&q, "found %zu bytes, expected at most %d", len, LINE_BYTES_MAX);
    else if (!(q.o = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e)))
        slx_malformed(&q, "column %d: %.300s, expected a JSON object", e.column, e.text);
    else if (!json_is_object(q.o))
        slx_malformed(&q, "found %s, expected a JSON object",
                      json_is_array(q.o) ? "a list" : "a value");
    else
        ok = answer(s, &q);
    print(&q, ok, out);
    json_decref(q.value);
    json_decref(q.o);
    return !q.malformed;
}

slx_queries *slx_queries_open(void)
{
    slx_queries *s = slx_xcalloc(1, sizeof *s);
    slx_predictor_open(&s->predictor);
    s->models = slx_models_open();
    return s;
}

void slx_queries_close(slx_queries *s)
{
    if (!s) return;
    for (int i = 0; i < s->n_chips; i++) {
        free(s->chips[i].key);
        slx_chip_free(s->chips[i].chip);
    }
    slx_predictor_close(s->predictor);
    slx_models_close(s->models);
    free(s->memo.key);
    free(s->ids.id);
    free(s);
}

bool slx_queries_run(FILE *in, FILE *out)
{
    slx_queries *s = slx_queries_open();
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool good = true;
    slx_buf b = {0};
    for (int n = 1; (len = getline(&line, &cap, in)) >= 0; n++) {
        while (len && (line[len - 1] == '\n' || line[len - 1] == '\r')) len--;
        if (!len) continue; /* an empty line asks nothing */
        good &= slx_queries_line(s, line, (size_t)len, n, &b);
        fwrite(b.ptr, 1, b.len, out);
        b.len = 0;
        if (n % FLUSH_LINES == 0) fflush(out);
    }
    free(line);
    slx_buf_free(&b);
    slx_queries_close(s);
    return fflush(out) == 0 && good;
}
