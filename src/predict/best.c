/* best.c - the batch and the TP degree that make the most tokens a second and chip while no token takes longer than the
 * target. The time of a step grows with the batch, and so do tokens a second: the largest batch that fits memory and
 * target is the best of its degree. */
#include "predict/predict_int.h"

#include <string.h>

typedef struct {
    slx_predictor *p;
    const slx_chip *c;
    const slx_best_ask *ask;
    slx_err *err;
} seeker;

static slx_forward forward(const seeker *s, uint32_t tp, uint32_t batch)
{
    return (slx_forward){.model = s->ask->model,
                         .decode = true,
                         .batch = batch,
                         .context = s->ask->context,
                         .tp = tp,
                         .dtype = s->ask->dtype,
                         .kv_dtype = s->ask->kv_dtype};
}

static bool too_large(const seeker *s, uint32_t tp, uint32_t batch)
{
    slx_forward f = forward(s, tp, batch);
    slx_predict_memory m;
    if (slx_predict_fits(s->c, &f, &m, NULL) != SLX_OK) return false; /* the pass will say why */
    if (!s->c->library && s->c->rom.mib > 0) return false; /* the compiler knows what lies where */
    return m.weights + m.kv > m.usable;
}

/* good: fits, and is fast enough. fail: cannot be told at all. */
static slx_status attempt(const seeker *s, uint32_t tp, uint32_t batch, slx_best *out, bool *good)
{
    slx_forward f = forward(s, tp, batch);
    *good = false;
    if (too_large(s, tp, batch)) return SLX_OK;
    SLX_TRY(slx_predict_pass(s->p, s->c, &f, &out->pass, s->err));
    out->tp = tp, out->batch = batch;
    out->tok_s_user = 1 / out->pass.seconds.mid;
    out->tok_s_chip = batch / out->pass.seconds.mid / tp;
    *good = !(s->ask->tpot_s > 0) || out->pass.seconds.mid <= s->ask->tpot_s;
    return SLX_OK;
}

/* The largest batch up to top that fits the memory, 0 if none does. */
static uint32_t memory_holds(const seeker *s, uint32_t tp, uint32_t top)
{
    uint32_t lo = 0, hi = top + 1;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (too_large(s, tp, mid))
            hi = mid;
        else
            lo = mid;
    }
    return lo;
}

/* attempt, where a batch below this one was good: what the chip refuses now (a program's pages, say) is too much. */
static slx_status attempt_more(const seeker *s, uint32_t tp, uint32_t batch, slx_best *out,
                               bool *good)
{
    *out = (slx_best){.pass.seconds.mid = INFINITY};
    slx_status st = attempt(s, tp, batch, out, good);
    return st == SLX_EINTERRUPTED ? st : SLX_OK;
}

/* Batches that are tried on a chip of programs: multiples of about an eighth, whose rows the tiles share evenly. Fewer
 * steps are compiled and timed so; tokens a second change little between (docs/compare.md). */
static uint32_t even(const seeker *s, uint32_t batch)
{
    uint32_t by = 1;
    if (s->c->library) return batch;
    while (by < 32 && by * 16 <= batch) by *= 2;
    return batch - batch % by;
}

/* The largest good batch of one degree; false in *found where batch 1 is not good. The time of a step is nearly
 * straight in the batch, so each trial lies where the line between the slowest good and the fastest bad one meets the
 * target, or the next even one below: when that is the slowest good one, the line says that there is none above.
 * *most: tokens a second and chip at the largest batch of all, whatever the target; 0 where not tried. */
static slx_status largest(const seeker *s, uint32_t tp, slx_best *out, bool *found, double *most)
{
    uint32_t lo = s->ask->batch ? s->ask->batch : 1,
             top = s->ask->max_batch ? s->ask->max_batch : 512;
    slx_best bad, next;
    bool good;
    *most = 0;
    SLX_TRY(attempt(s, tp, lo, out, found));
    if (!*found || s->ask->batch) return SLX_OK;
    uint32_t hi = memory_holds(s, tp, top);
    if (hi < top) hi = even(s, hi);
    if (hi <= lo) return SLX_OK;
    SLX_TRY(attempt_more(s, tp, hi, &bad, &good));
    if (hi == top && isfinite(bad.pass.seconds.mid)) *most = bad.tok_s_chip;
    if (good) return *out = bad, SLX_OK;
    /* To 6 %, or within 2 % of the target: the curve is flat there. */
    double target = s->ask->tpot_s > 0 ? s->ask->tpot_s : INFINITY;
    while (hi - lo > 1 + lo / 16 && out->pass.seconds.mid < 0.98 * target) {
        double t = out->pass.seconds.mid, step = (hi - lo) / 2.0;
        if (isfinite(bad.pass.seconds.mid))
            step = (target * 0.995 - t) / (bad.pass.seconds.mid - t) * (hi - lo);
        uint32_t mid = step < 1 ? lo + 1 : lo + step > hi - 1 ? hi - 1 : lo + (uint32_t)step;
        if ((mid = even(s, mid)) <= lo) return SLX_OK;
        SLX_TRY(attempt_more(s, tp, mid, &next, &good));
        if (good)
            *out = next, lo = mid;
        else
            bad = next, hi = mid;
    }
    return SLX_OK;
}

static void set_cost(const slx_chip *c, slx_best *b)
{
    static const slx_band unknown = {NAN, NAN, NAN};
    slx_constants *k = NULL;
    slx_area area;
    slx_power power;
    slx_cost cost;
    b->j_per_token = (slx_band){b->pass.joules.low / b->batch, b->pass.joules.mid / b->batch,
                                b->pass.joules.high / b->batch};
    b->usd_per_mtok = unknown;
    b->usd_missing = "data/cost.csv";
    if (slx_constants_load(&k, NULL) != SLX_OK) return;
    bool ok = slx_chip_get_area(&area, c, k, NULL) == SLX_OK &&
              slx_chip_get_power(&power, c, &area, k, NULL) == SLX_OK &&
              slx_chip_get_cost(&cost, c, &area, &power, k, NULL) == SLX_OK;
    slx_constants_free(k);
    if (!ok) return;
    b->usd_missing = cost.hour_usd.missing;
    if (isnan(cost.hour_usd.total.mid)) return;
    slx_band t = b->pass.seconds;
    slx_band tok_s = {b->batch / t.high, b->batch / t.mid, b->batch / t.low};
    b->usd_per_mtok = slx_usd_per_mtok(cost.hour_usd.total, b->tp, tok_s);
}

/* Why there is no answer. slow: some degree fits, and misses the target. */
static slx_status none(const seeker *s, const slx_err *why, bool slow)
{
    slx_forward f = forward(s, s->ask->tp ? s->ask->tp : 8, s->ask->batch ? s->ask->batch : 1);
    slx_predict_memory m;
    if (!slow && *why->msg)
        return slx_fail(s->err, why->code, why->file, why->line, why->col, "%s", why->msg);
    SLX_TRY(slx_predict_fits(s->c, &f, &m, s->err));
    if (!slow && m.weights + m.kv > m.usable)
        return slx_fail(s->err, SLX_EUNSUPPORTED, s->ask->model->name, 0, 0,
                        "needs %.1f GB on each of %u chips, %s has %.1f GB",
                        (m.weights + m.kv) / 1e9, f.tp, s->c->name, m.usable / 1e9);
    return slx_fail(s->err, SLX_EUNSUPPORTED, s->ask->model->name, 0, 0,
                    "a token takes longer than %.4g ms on 1 to 8 chips of %s, even at batch 1",
                    s->ask->tpot_s * 1e3, s->c->name);
}

slx_status slx_predict_best(slx_predictor *p, const slx_chip *c, const slx_best_ask *ask,
                            slx_best *out, slx_err *err)
{
    static const uint32_t degrees[] = {1, 2, 4, 8};
    slx_err why = {0}, first = {0};
    seeker s = {p, c, ask, &why};
    bool any = false, slow = false;
    for (int i = 0; i < 4; i++) {
        slx_best b = {0};
        bool found;
        double most;
        if (ask->tp ? i > 0 : degrees[i] > ask->model->n_heads) break;
        if (!ask->tp && ask->max_tp && degrees[i] > ask->max_tp) break;
        slx_status st = largest(&s, ask->tp ? ask->tp : degrees[i], &b, &found, &most);
        if (st == SLX_EINPUT || st == SLX_EINTERRUPTED) {
            if (err) *err = why;
            return st;
        }
        if (st != SLX_OK && !*first.msg) first = why;
        slow |= st == SLX_OK && !found && b.tp > 0;
        if (st != SLX_OK || !found) continue;
        if (!any || b.tok_s_chip > out->tok_s_chip) *out = b;
        any = true;
        /* A chip of a group makes no more tokens than one alone at the same batch, so 5 % is all that may be left; a
         * program is slow to time. */
        if (!c->library && most > 0 && most < 1.05 * out->tok_s_chip) break;
    }
    s.err = err;
    if (!any) return none(&s, &first, slow);
    set_cost(c, out);
    return SLX_OK;
}
