/* program.c - a pass on a chip that runs our programs: compiled for the batch, then timed step by step.
 *
 * Programs and times are kept: a pass is known by the chip's figures, the model's text, the weights' type and the four
 * numbers of the pass. A prefill goes in steps of as many rows as the program takes.
 */
#include "predict/predict_int.h"

#include "compile/compile.h"
#include "time/time.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t key;
    slx_program p;
    slx_time_watts watts;
} made;

typedef struct {
    uint64_t key;
    bool bands; /* its band is by runs: it serves where that is not asked for, too */
    slx_forward_cost cost;
} known;

struct slx_programs {
    made *program; /* the last few: a program of a large model is megabytes */
    int n_programs;
    known *cost;
    size_t n_costs, cap_costs;
};

enum { KEEP_PROGRAMS = 8, STEP_ROWS = 512 /* of a program that is not asked for more sequences */ };

slx_programs *slx_programs_new(void)
{
    slx_programs *p = slx_xcalloc(1, sizeof *p);
    p->program = slx_xcalloc(KEEP_PROGRAMS, sizeof *p->program);
    return p;
}

void slx_programs_free(slx_programs *p)
{
    for (int i = 0; i < p->n_programs; i++) slx_program_free(&p->program[i].p);
    free(p->program);
    free(p->cost);
    free(p);
}

/* The storage type of weights that stands for a number format of products; NULL = the model's own. */
static const char *weight_type(const char *dtype)
{
    slx_lib_dtype d;
    return dtype && slx_lib_dtype_parse(dtype, &d) ? slx_lib_dtype_stored(d) : NULL;
}

double slx_programs_weight_bytes(const slx_chip *c, const slx_shape *s, const char *dtype)
{
    const char *type = s->config ? weight_type(dtype) : NULL;
    const struct {
        const char *type;
        unsigned fmt;
        slx_chip_format has;
    } native[] = {{"Q4_0", SLX_FMT_q4s, SLX_CF_Q4S},
                  {"Q8_0", SLX_FMT_q8s, SLX_CF_Q8S},
                  {"MXFP4", SLX_FMT_mxfp4, SLX_CF_MXFP4}};
    unsigned fmt = SLX_FMT_mxint8;
    if (s->config && !type) type = "Q4_0"; /* as slx_model_open_as takes it */
    for (size_t i = 0; type && i < sizeof native / sizeof *native; i++)
        if (!strcmp(type, native[i].type) && c->isa.formats[native[i].has]) fmt = native[i].fmt;
    return (slx_fmt_code_bytes(fmt) + slx_fmt_scale_bytes(fmt)) / 32.0;
}

/* Values beyond rows x k when the slices of the rows are a multiple of `ways`. */
static double padding(uint32_t ways, double rows, double k)
{
    return (ceil(ceil(rows / 32) / ways) * ways * 32 - rows) * k;
}

double slx_programs_padding(const slx_chip *c, const slx_shape *s, uint32_t tp)
{
    uint32_t ways = slx_compile_ways(c);
    if (!ways) return 0;
    double d = s->d_model, ff = (double)s->d_ff / tp, q = (double)s->n_heads * s->head_dim / tp,
           kv = (double)s->n_kv_heads * s->head_dim / tp;
    double layer = padding(ways, q, d) + 2 * padding(ways, kv, d) + padding(ways, d, q) + padding(ways, d, ff) +
                   (s->mlp == SLX_MLP_GATED ? 2 : 1) * padding(ways, ff, d);
    return s->n_layers * layer;
}

double slx_programs_kv_bytes(void)
{
    return (slx_fmt_code_bytes(SLX_FMT_mxint8) + slx_fmt_scale_bytes(SLX_FMT_mxint8)) / 32.0;
}

static slx_status open_model(slx_model **out, const slx_forward *f, slx_err *err)
{
    const slx_shape *s = f->model;
    if (s->config)
        return slx_model_parse_config(out, s->config, strlen(s->config), s->name,
                                      weight_type(f->dtype), err);
    return slx_model_open(out, s->path, err);
}

static slx_status compile(made *out, const slx_chip *c, const slx_forward *f, uint32_t seqs,
                          slx_err *err)
{
    slx_model *m;
    SLX_TRY(slx_time_get_watts(&out->watts, c, err));
    SLX_TRY(open_model(&m, f, err));
    uint64_t pages = ((uint64_t)f->context / SLX_MAX_CHUNK + 1) * seqs;
    slx_compile_options opt = {.max_seqs = seqs,
                               .max_samples = f->all_logits ? 512 : seqs,
                               .max_rows = seqs > 512 ? seqs : 0,
                               .max_context = f->context,
                               .max_pages = (uint32_t)(pages < 1 << 24 ? pages : 1 << 24),
                               .tp = f->tp};
    slx_status st = slx_compile(&out->p, m, c, &opt, NULL, NULL, err);
    slx_model_close(m);
    return st;
}

static void hash_text(slx_hash *h, const char *s)
{
    slx_hash_add(h, s ? s : "", s ? strlen(s) + 1 : 1);
}

static slx_status get_program(slx_programs *set, const slx_chip *c, const slx_forward *f,
                              uint32_t seqs, made **out, slx_err *err)
{
    slx_hash h;
    slx_hash_init(&h);
    slx_hash_add(&h, &c->hash, sizeof c->hash);
    hash_text(&h, f->model->config ? f->model->config : f->model->path);
    hash_text(&h, f->dtype);
    slx_hash_add(&h, &seqs, sizeof seqs);
    slx_hash_add(&h, &f->tp, sizeof f->tp);
    slx_hash_add(&h, &f->context, sizeof f->context);
    uint64_t key = slx_hash_get(&h) ^ f->all_logits;
    for (int i = 0; i < set->n_programs; i++)
        if (set->program[i].key == key) return *out = &set->program[i], SLX_OK;
    made new = {.key = key};
    SLX_TRY(compile(&new, c, f, seqs, err));
    if (set->n_programs == KEEP_PROGRAMS) { /* the oldest goes */
        slx_program_free(&set->program[0].p);
        memmove(set->program, set->program + 1, (KEEP_PROGRAMS - 1) * sizeof *set->program);
        set->n_programs--;
    }
    set->program[set->n_programs] = new;
    *out = &set->program[set->n_programs++];
    return SLX_OK;
}

/* ------------------------------------------------------------------ steps */

/* What the steps of a pass sum to beside its cost. */
typedef struct {
    double bound_s[SLX_N_TIME_BOUNDS], wire_j[SLX_N_TIME_WIRES];
    double low_s, high_s; /* by runs; 0 = not asked for */
} sums;

/* `times` steps like this one. */
static slx_status add_step(const made *m, const slx_chip *c, uint8_t *desc, double times, bool bands,
                           slx_forward_cost *out, sums *all, slx_err *err)
{
    slx_time_options how = {.folded = true, .watts = &m->watts};
    slx_time_result r;
    SLX_TRY(slx_time_step(&m->p, c, desc, &how, &r, err));
    double chips = times * r.n_chips, low, high;
    slx_status st = SLX_OK;
    out->seconds.mid += times * r.seconds;
    out->joules.mid += chips * (double)r.energy_fj * 1e-15;
    out->flops += chips * 2 * (double)r.macs;
    out->bytes += chips * (double)(r.hbm_read_bytes + r.hbm_write_bytes);
    for (int b = 0; b < SLX_N_TIME_BOUNDS; b++) {
        double s = times * r.seconds * (double)r.bound[b] / (double)r.cycles;
        all->bound_s[b] += s;
        if (r.bound[b]) slx_forward_part(out, slx_time_bound_name((slx_time_bound)b), s);
    }
    for (int w = 0; w < SLX_N_TIME_WIRES; w++) all->wire_j[w] += chips * (double)r.wire_fj[w] * 1e-15;
    if (bands) {
        st = slx_time_get_band(&m->p, c, desc, &how, &r, &low, &high, err);
        all->low_s += times * low, all->high_s += times * high;
    }
    slx_time_result_free(&r);
    return st;
}

static slx_status add_prefill(const made *m, const slx_chip *c, const slx_forward *f, uint8_t *desc,
                              slx_forward_cost *out, sums *all, slx_err *err)
{
    uint32_t chunk = m->p.info.desc.max_rows, before = f->context - f->q_len;
    uint32_t together = chunk / f->q_len; /* short prompts share a step */
    if (together > m->p.info.desc.max_seqs) together = m->p.info.desc.max_seqs;
    if (together > f->batch) together = f->batch;
    if (together < 1) together = 1;
    for (uint32_t at = 0; at < f->q_len; at += chunk) {
        uint32_t rows = f->q_len - at < chunk ? f->q_len - at : chunk;
        uint32_t samples = f->all_logits ? rows : at + rows == f->q_len;
        SLX_TRY(slx_step_build_alike(&m->p.info, desc, together, rows, before + at, samples, err));
        SLX_TRY(add_step(m, c, desc, (double)f->batch / together, f->bands, out, all, err));
        if (slx_interrupted()) return slx_fail(err, SLX_EINTERRUPTED, "", 0, 0, "interrupted");
    }
    return SLX_OK;
}

static slx_status pass(const made *m, const slx_chip *c, const slx_forward *f,
                       slx_forward_cost *out, slx_err *err)
{
    sums all = {0};
    *out = (slx_forward_cost){.timed_by = "program"};
    uint8_t *desc = slx_xcalloc(1, m->p.info.desc.bytes + 1u);
    slx_status st =
        f->q_len > 1 ? add_prefill(m, c, f, desc, out, &all, err)
                     : slx_step_build_alike(&m->p.info, desc, f->batch, 1, f->context - 1, 1, err);
    if (st == SLX_OK && f->q_len == 1) st = add_step(m, c, desc, 1, f->bands, out, &all, err);
    free(desc);
    if (st != SLX_OK) return st;
    out->seconds.low = all.low_s, out->seconds.high = all.high_s;
    if (!f->bands) slx_time_shares_band(c, all.bound_s, &out->seconds.low, &out->seconds.high);
    double off = slx_time_joules_off(c, all.wire_j);
    out->joules.low = out->joules.mid - off, out->joules.high = out->joules.mid + off;
    out->power_w = out->joules.mid / out->seconds.mid / slx_program_chips(&m->p.info);
    slx_forward_close(out);
    return SLX_OK;
}

static void scale(slx_forward_cost *k, double by)
{
    k->seconds = (slx_band){k->seconds.low * by, k->seconds.mid * by, k->seconds.high * by};
    k->joules = (slx_band){k->joules.low * by, k->joules.mid * by, k->joules.high * by};
    k->flops *= by;
    k->bytes *= by;
    for (int i = 0; i < k->n_parts; i++) k->part[i].seconds *= by;
}

slx_status slx_programs_pass(slx_programs *set, const slx_chip *c, const slx_forward *f,
                             slx_forward_cost *out, slx_err *err)
{
    uint32_t seqs = f->q_len > 1 ? (f->batch < 16 ? f->batch : 16) : f->batch;
    if (f->q_len >= STEP_ROWS && f->batch > 1) { /* such prompts go one after another */
        slx_forward one = *f;
        one.batch = 1;
        SLX_TRY(slx_programs_pass(set, c, &one, out, err));
        scale(out, f->batch);
        return SLX_OK;
    }
    made *m;
    SLX_TRY(get_program(set, c, f, seqs, &m, err));
    uint64_t id[5] = {m->key, f->batch, f->q_len, f->context, f->all_logits};
    uint64_t key = slx_hash_of(id, sizeof id);
    for (size_t i = 0; i < set->n_costs; i++)
        if (set->cost[i].key == key && (set->cost[i].bands || !f->bands)) return *out = set->cost[i].cost, SLX_OK;
    SLX_TRY(pass(m, c, f, out, err));
    if (set->n_costs == set->cap_costs) {
        set->cap_costs = set->cap_costs ? 2 * set->cap_costs : 32;
        set->cost = slx_xrealloc(set->cost, set->cap_costs * sizeof *set->cost);
    }
    set->cost[set->n_costs++] = (known){key, f->bands, *out};
    return SLX_OK;
}
