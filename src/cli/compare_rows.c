/* compare_rows.c - what each chip takes for the model: see compare.h.
 *
 * A chip that cannot be told has a reason in its row and stands beside the others.
 */
#include "cli/compare_int.h"

#include "time/lib.h"

#include <math.h>
#include <string.h>

static const slx_band unknown = {NAN, NAN, NAN};

/* ------------------------------------------------------------------ formats */

static void name_formats(compare_row *row, const compare_ask *ask)
{
    slx_formats f = slx_predict_formats(row->chip, ask->model, ask->weight_bits, ask->kv_bits);
    row->dtype = f.dtype;
    row->kv_dtype = f.kv_dtype;
    row->weights = f.weights;
    row->kv_cache = f.kv_cache;
    row->weight_bits = f.weight_bits;
}

bool compare_predicted(const compare_row *row)
{
    return !row->point.why;
}

bool compare_capped(const compare_point *p, const compare_ask *ask, int target)
{
    bool largest = !p->why && p->batch >= ask->max_batch - ask->max_batch / 16;
    return largest && p->pass.seconds.mid < 0.95 * ask->target_s[target];
}

/* ------------------------------------------------------------------ what is not published */

/* A peak, a rate of the memory or of the links, or a power that is not published is not inferred here, though the
 * library's timing could from its family: the answer would be a guess. Smaller figures are, and are named. */
static const char *unpublished(const compare_row *row, const compare_ask *ask, uint32_t tp)
{
    const slx_chip *c = row->chip;
    slx_lib_dtype d;
    if (!c->library) return NULL;
    const char *key = row->dtype && slx_lib_dtype_parse(row->dtype, &d) ? slx_lib_unpublished(c, d) : NULL;
    if (!key && tp > 1 && !(c->part.links_gbs > 0)) key = "part.links_gbs";
    return key ? slx_sprintf(ask->arena, "%s: not published", key) : NULL;
}

static void name_inferred(compare_row *row)
{
    const slx_chip *c = row->chip;
    const struct {
        const char *key;
        double v;
    } small[COMPARE_INFERRED] = {{"part.units", c->part.units},
                                 {"part.clock_ghz", c->part.clock_ghz},
                                 {"part.cache_mib", c->part.cache_mib},
                                 {"part.bf16_tflops", c->part.bf16_tflops}};
    for (int i = 0; i < COMPARE_INFERRED && c->library; i++)
        if (isnan(small[i].v)) row->inferred[row->n_inferred++] = small[i].key;
}

/* Chips that a target may be reached on. */
static uint32_t most_chips(const slx_chip *c)
{
    if (!c->library) return 8;
    if (!(c->part.links_gbs > 0)) return 1;
    return c->part.domain < 8 ? (uint32_t)c->part.domain : 8;
}

/* ------------------------------------------------------------------ one point */

static slx_forward decode_of(const compare_row *row, const compare_ask *ask, uint32_t tp,
                             uint32_t batch)
{
    return (slx_forward){.model = ask->model,
                         .decode = true,
                         .batch = batch,
                         .context = ask->context,
                         .tp = tp,
                         .dtype = row->dtype,
                         .kv_dtype = row->kv_dtype};
}

/* What a chip cannot do, or cannot do with this model, is a reason in its row; what was asked is in order by now. */
static slx_status refused(slx_status st, const slx_err *why, const char **out,
                          const compare_ask *ask, slx_err *err)
{
    if (st != SLX_EINTERRUPTED && st != SLX_EIO) {
        *out = slx_strdup(ask->arena, why->msg);
        return SLX_OK;
    }
    if (err) *err = *why;
    return st;
}

static slx_band times(slx_band v, double f)
{
    return (slx_band){v.low * f, v.mid * f, v.high * f};
}

/* Rates from the time of a step: what is low there is high here. */
void compare_set_rates(compare_point *p, const compare_row *row)
{
    slx_band t = p->pass.seconds, step = {1 / t.high, 1 / t.mid, 1 / t.low};
    p->tok_s_user = step;
    p->tok_s_chip = times(step, (double)p->batch / p->tp);
    if (row->chip->library && !(row->chip->package.tdp_w > 0)) {
        p->pass.joules = unknown;
        p->pass.power_w = NAN;
    }
    p->j_per_token = times(p->pass.joules, 1.0 / p->batch);
    if (isnan(p->j_per_token.mid)) p->j_why = "package.tdp_w: not published";
    const slx_sheet *hour = &row->cost.hour_usd;
    p->usd_per_mtok = unknown;
    if (isnan(hour->total.mid))
        p->usd_why = row->usd_why;
    else
        p->usd_per_mtok = slx_usd_per_mtok(hour->total, p->tp, times(step, p->batch));
}

static slx_status decode(compare_point *out, const compare_row *row, const compare_ask *ask,
                         uint32_t tp, uint32_t batch, bool bands, slx_err *err)
{
    slx_forward f = decode_of(row, ask, tp, batch);
    slx_err why = {0};
    f.bands = bands;
    *out = (compare_point){.tp = tp, .batch = batch};
    slx_status st = slx_predict_pass(ask->predictor, row->chip, &f, &out->pass, &why);
    if (st != SLX_OK) return refused(st, &why, &out->why, ask, err);
    compare_set_rates(out, row);
    return SLX_OK;
}

slx_status compare_decode(compare_point *out, const compare_row *row, const compare_ask *ask,
                          uint32_t tp, uint32_t batch, slx_err *err)
{
    return decode(out, row, ask, tp, batch, false, err);
}

/* ------------------------------------------------------------------ how many chips */

static const char *gigabytes(char out[32], double bytes)
{
    return cli_short(out, bytes, "B");
}

/* The fewest of 1, 2, 4, 8 chips that hold weights and KV cache, or as many as were asked for; 0 and the reason where
 * they do not. */
static uint32_t fewest(const compare_row *row, const compare_ask *ask, const char **why)
{
    const slx_chip *c = row->chip;
    slx_predict_memory m = {0};
    uint32_t tp = 1;
    if (!c->library && c->rom.mib > 0)
        return ask->tp ? ask->tp : 1; /* the compiler says whether the weights fit */
    for (uint32_t n = ask->tp ? ask->tp : 1; n <= (ask->tp ? ask->tp : 8); n *= 2) {
        slx_err e = {0};
        if (n > ask->model->n_heads) break;
        tp = n;
        slx_forward f = decode_of(row, ask, tp, ask->batch);
        if (slx_predict_fits(c, &f, &m, &e) != SLX_OK) {
            *why = slx_strdup(ask->arena, e.msg);
            return 0;
        }
        if (isnan(m.usable)) return tp; /* the pass will name the figure that is missing */
        if (m.weights + m.kv <= m.usable) return tp;
    }
    char need[32], has[32];
    *why =
        slx_sprintf(ask->arena,
                    "does not fit: %s of weights and KV cache for each of %u chip%s of %s; about "
                    "%.0f chips would hold it",
                    gigabytes(need, m.weights + m.kv), tp, tp > 1 ? "s" : "",
                    gigabytes(has, m.usable), ceil((m.weights + m.kv) * tp / m.usable));
    return 0;
}

bool compare_fits(const compare_row *row, const compare_ask *ask, uint32_t tp, uint32_t batch)
{
    slx_forward f = decode_of(row, ask, tp, batch);
    slx_predict_memory m;
    slx_err e;
    if (!row->chip->library && row->chip->rom.mib > 0) return true;
    return slx_predict_fits(row->chip, &f, &m, &e) != SLX_OK || !(m.weights + m.kv > m.usable);
}

/* Reasons that no figure of a pass would show. */
static const char *forbidden(const compare_row *row, const compare_ask *ask, uint32_t tp)
{
    const slx_chip *c = row->chip;
    if (*c->part.only_model && strcmp(c->part.only_model, ask->model->name) != 0)
        return slx_sprintf(ask->arena, "holds %s alone: its weights are wired in",
                           c->part.only_model);
    if (*c->part.only_model) return "rates of its weight memory are not published";
    if (c->library && tp > 1 && tp > c->part.domain)
        return slx_sprintf(ask->arena, "%u chips, but its links join %.0f", tp, c->part.domain);
    return unpublished(row, ask, tp);
}

/* ------------------------------------------------------------------ a row */

slx_status compare_cost(slx_cost *out, const slx_chip *c, const slx_constants *k, slx_err *err)
{
    slx_area area;
    slx_power power;
    SLX_TRY(slx_chip_get_area(&area, c, k, err));
    SLX_TRY(slx_chip_get_power(&power, c, &area, k, err));
    return slx_chip_get_cost(out, c, &area, &power, k, err);
}

static slx_status prefill(slx_forward_cost *out, const char **why_out, const compare_row *row,
                          const compare_ask *ask, uint32_t tp, uint32_t batch, slx_err *err)
{
    slx_forward f = {.model = ask->model,
                     .batch = batch,
                     .q_len = ask->prompt,
                     .context = ask->prompt,
                     .tp = tp,
                     .dtype = row->dtype,
                     .kv_dtype = row->kv_dtype};
    slx_err why = {0};
    slx_status st = slx_predict_pass(ask->predictor, row->chip, &f, out, &why);
    return st == SLX_OK ? st : refused(st, &why, why_out, ask, err);
}

slx_status compare_prefill(slx_forward_cost *out, const compare_row *row, const compare_ask *ask,
                           uint32_t tp, uint32_t batch, slx_err *err)
{
    const char *why = NULL;
    SLX_TRY(prefill(out, &why, row, ask, tp, batch, err));
    if (why) *out = (slx_forward_cost){.seconds = unknown, .joules = unknown};
    return SLX_OK;
}

static slx_status get_target(compare_point *out, const compare_row *row, const compare_ask *ask,
                             double tpot_s, slx_err *err)
{
    slx_best_ask best = {.model = ask->model,
                         .context = ask->context,
                         .tpot_s = tpot_s,
                         .tp = ask->tp,
                         .max_tp = most_chips(row->chip),
                         .max_batch = ask->max_batch,
                         .dtype = row->dtype,
                         .kv_dtype = row->kv_dtype};
    slx_err why = {0};
    slx_best b;
    *out = (compare_point){0};
    slx_status st = slx_predict_best(ask->predictor, row->chip, &best, &b, &why);
    if (st != SLX_OK) return refused(st, &why, &out->why, ask, err);
    *out = (compare_point){.tp = b.tp, .batch = b.batch, .pass = b.pass};
    compare_set_rates(out, row);
    return SLX_OK;
}

slx_status compare_get(compare_row *row, const compare_ask *ask, slx_err *err)
{
    const char *why = NULL;
    name_formats(row, ask);
    name_inferred(row);
    SLX_TRY(compare_cost(&row->cost, row->chip, ask->constants, err));
    if (isnan(row->cost.hour_usd.total.mid)) {
        char text[128];
        row->usd_why = slx_strdup(ask->arena, cli_missing(text, row->cost.hour_usd.missing));
    }
    uint32_t tp = fewest(row, ask, &why);
    const char *no = forbidden(row, ask, tp ? tp : ask->tp);
    if (no) why = no;
    if (why) {
        row->point = (compare_point){.why = why, .tp = tp, .batch = ask->batch};
        row->ttft_why = why;
        for (int i = 0; i < ask->n_targets; i++) row->target[i] = (compare_point){.why = why};
        return SLX_OK;
    }
    SLX_TRY(decode(&row->point, row, ask, tp, ask->batch, true, err));
    SLX_TRY(prefill(&row->prefill, &row->ttft_why, row, ask, tp, 1, err));
    for (int i = 0; i < ask->n_targets; i++) {
        row->target[i] = row->point;
        if (ask->batch == 1 && row->point.why) continue; /* no larger batch will do */
        SLX_TRY(get_target(&row->target[i], row, ask, ask->target_s[i], err));
    }
    return SLX_OK;
}
