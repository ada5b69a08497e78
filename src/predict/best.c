/* best.c - the batch and the TP degree that make the most tokens a second and chip while no token takes longer than the
 * target. The time of a step grows with the batch, and so, but for whole tiles, do tokens a second: the best batch is
 * the largest that fits memory and target, or near it. Of all that were tried the best is told. */
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

static void keep_better(slx_best *best, const slx_best *b, bool good)
{
    if (good && (!best->batch || b->tok_s_chip > best->tok_s_chip)) *best = *b;
}

static double target_of(const seeker *s)
{
    return s->ask->tpot_s > 0 ? s->ask->tpot_s : INFINITY;
}

/* ------------------------------------------------------------------ a library's chips */

/* A pass is a formula: the largest good batch to the last sequence, then every batch of a grid from half of it up to a
 * quarter more, as whole tiles make more tokens than one sequence over them, and time may fall where a tile changes. */
static slx_status search_library(const seeker *s, uint32_t tp, uint32_t hi, slx_best *best)
{
    uint32_t lo = best->batch, bad = hi + 1;
    slx_best b;
    bool good;
    for (uint32_t at = hi; bad - lo > 1; at = lo + (bad - lo) / 2) {
        SLX_TRY(attempt_more(s, tp, at, &b, &good));
        keep_better(best, &b, good);
        *(good ? &lo : &bad) = at;
    }
    uint32_t by = 1, most = lo + lo / 4 < hi ? lo + lo / 4 : hi;
    while (by * 64 <= lo) by *= 2; /* 32 to 64 of them an octave; multiples of any tile that counts */
    for (uint32_t at = lo / 2 / by * by; at <= most; at += by) {
        if (!at || at == lo) continue;
        SLX_TRY(attempt_more(s, tp, at, &b, &good));
        keep_better(best, &b, good);
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ chips of programs */

/* Batches that are tried: multiples of a quarter to an eighth, of 64 at most, whose rows tiles share evenly. A program
 * is compiled and timed for each; tokens a second change little between (docs/compare.md). */
static uint32_t even(uint32_t batch)
{
    uint32_t by = 1;
    while (by < 64 && by * 4 <= batch) by *= 2;
    return batch - batch % by;
}

/* The time of a step is nearly straight in the batch, so each trial lies where the line between the slowest good (at
 * lo, t_lo seconds) and the fastest bad one meets the target, or the next even one below: when that is the slowest good
 * one, the line says that there is none above. *most: tokens a second and chip at hi, whatever the target; 0 = refused.
 */
static slx_status search_program(const seeker *s, uint32_t tp, uint32_t lo, double t_lo, uint32_t hi,
                                 slx_best *best, double *most)
{
    slx_best b;
    bool good;
    double t_hi = INFINITY, target = target_of(s);
    *most = 0;
    for (uint32_t at = hi; at > lo;) {
        SLX_TRY(attempt_more(s, tp, at, &b, &good));
        keep_better(best, &b, good);
        if (at == hi && isfinite(b.pass.seconds.mid)) *most = b.tok_s_chip;
        if (good) {
            lo = at, t_lo = b.pass.seconds.mid;
            if (at == hi) return SLX_OK;
        } else {
            hi = at, t_hi = b.pass.seconds.mid;
        }
        double step = (hi - lo) / 2.0;
        if (isfinite(t_hi)) step = t_hi > t_lo ? (target * 0.995 - t_lo) / (t_hi - t_lo) * (hi - lo) : 0;
        uint32_t next = step < 1 ? lo : lo + (step > hi - lo - 1 ? hi - lo - 1 : (uint32_t)step);
        at = even(next);
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ one degree */

/* The best batch of one degree; false in *found where batch 1 is not good. *below: what batch 1 takes at half the
 * degree, where that was good (a step is then shorter here, and not tried); 0 = not known. *most: as in search_program.
 */
static slx_status search(const seeker *s, uint32_t tp, double *below, slx_best *out, bool *found, double *most)
{
    uint32_t lo = s->ask->batch ? s->ask->batch : 1;
    uint32_t top = s->ask->max_batch ? s->ask->max_batch : SLX_BEST_MAX_BATCH;
    *most = 0;
    bool told = !s->c->library && !s->ask->batch && *below > 0;
    if (told) {
        *below /= 2, *found = true;
    } else {
        SLX_TRY(attempt(s, tp, lo, out, found));
        *below = *found ? out->pass.seconds.mid : 0;
        if (!*found || s->ask->batch) return SLX_OK;
    }
    uint32_t hi = memory_holds(s, tp, top);
    if (hi > lo && s->c->library) SLX_TRY(search_library(s, tp, hi, out));
    if (hi > lo && !s->c->library)
        SLX_TRY(search_program(s, tp, lo, *below, hi < top ? even(hi) : hi, out, most));
    if (!out->batch) { /* no larger one: then this one has to be tried after all */
        SLX_TRY(attempt(s, tp, lo, out, found));
        *below = *found ? out->pass.seconds.mid : 0;
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
    double below = 0;
    for (int i = 0; i < 4; i++) {
        slx_best b = {0};
        bool found;
        double most;
        if (ask->tp ? i > 0 : degrees[i] > ask->model->n_heads) break;
        if (!ask->tp && ask->max_tp && degrees[i] > ask->max_tp) break;
        slx_status st = search(&s, ask->tp ? ask->tp : degrees[i], &below, &b, &found, &most);
        if (st == SLX_EINPUT || st == SLX_EINTERRUPTED) {
            if (err) *err = why;
            return st;
        }
        if (st != SLX_OK && !*first.msg) first = why;
        if (st != SLX_OK) below = 0;
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
