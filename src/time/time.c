/* time.c - one step: the walk, the simulation, and what it comes to.
 *
 *   full      walk + simulate every tile and layer
 *   folded    walk every tile for counts, energy and a hash of its records without addresses; simulate the layers,
 *             and on some chips the tiles, that stand for the others (fold.c)
 *
 * Counts and energy never depend on folding; only cycles do. */
#include "time/time_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *slx_time_bound_name(slx_time_bound b)
{
    static const char *const names[] = {
#define X(n, t) t,
        SLX_TIME_BOUNDS(X)
#undef X
    };
    return names[b];
}

const char *slx_time_wire_name(slx_time_wire w)
{
    static const char *const names[] = {
#define X(n, t) t,
        SLX_TIME_WIRES(X)
#undef X
    };
    return names[w];
}

void slx_time_result_free(slx_time_result *r)
{
    free(r->spans);
    free(r->layer_fj);
    r->spans = NULL;
    r->layer_fj = r->layer_static_fj = NULL;
}

/* ------------------------------------------------------------------ the step */

static slx_status check(const slx_program *p, const slx_chip *c, const uint8_t *desc, slx_err *err)
{
    const slx_program_info *in = &p->info;
    if (!p->n_insns) return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0, "the program is empty");
    if (!in->n_tiles || in->n_tiles > c->grid.enabled)
        return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0,
                        "a program for %u tiles on %s, expected 1 to its %u tiles", in->n_tiles,
                        c->name, c->grid.enabled);
    if (in->spm_bytes > c->tile.spm_kib * 1024u)
        return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0,
                        "a program for scratchpads of %u bytes on %s, which has %u KiB",
                        in->spm_bytes, c->name, c->tile.spm_kib);
    const slx_region *d = slx_program_region(p, SLX_REGION_DESC);
    if (d && (!desc || d->bytes < in->desc.bytes))
        return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0,
                        "found no step descriptor, expected %u bytes", in->desc.bytes);
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (p->groups[g].first > in->n_tiles ||
            p->groups[g].count > in->n_tiles - p->groups[g].first)
            return slx_fail(err, SLX_EINPUT, in->model_name, 0, 0,
                            "group %u has tiles the program does not", g);
    return SLX_OK;
}

/* The descriptor as long as its region: the walk may read any byte of it. */
static uint8_t *whole_descriptor(const slx_program *p, const uint8_t *desc)
{
    const slx_region *d = slx_program_region(p, SLX_REGION_DESC);
    if (!d || !desc) return NULL;
    uint8_t *out = slx_xcalloc(1, d->bytes ? d->bytes : 1);
    memcpy(out, desc, p->info.desc.bytes);
    return out;
}

static void counts_add(slx_tm_counts *d, const slx_tm_counts *s, uint64_t times, uint32_t n_spans)
{
    for (int i = 0; i < SLX_N_ENGINES; i++) {
        d->insns[i] += s->insns[i] * times;
        d->engine_fj[i] += s->engine_fj[i] * times;
    }
    for (int i = 0; i < SLX_N_TIME_WIRES; i++) d->wire_fj[i] += s->wire_fj[i] * times;
    for (int i = 0; i < SLX_N_REGION_KINDS; i++) d->region_read[i] += s->region_read[i] * times;
    for (uint32_t i = 0; i < n_spans; i++) d->span_fj[i] += s->span_fj[i] * times;
    d->macs += s->macs * times;
    d->net += s->net * times, d->net_wire += s->net_wire * times;
    d->hbm_read += s->hbm_read * times, d->hbm_write += s->hbm_write * times;
    d->spm_read += s->spm_read * times, d->spm_write += s->spm_write * times;
    d->ten_clk += s->ten_clk * (double)times;
}

/* A step that only decodes: as many rows are sampled as there are. Pieces of prompts meet one another in the memory by
 * where their rows stand, which a class of all groups' tiles does not show (up to 8 % of a step of a small model). */
static bool decodes(const slx_tm_walk *w)
{
    uint32_t head[2]; /* rows, samples */
    if (!w->desc || !w->desc_region || w->desc_region->bytes < sizeof head) return false;
    memcpy(head, w->desc, sizeof head);
    return head[0] == head[1];
}

/* A walk of all tiles for counts[2] and hashes. */
static slx_status count_once(slx_tm_walk *w, bool together, slx_err *err)
{
    uint32_t spans = w->prog->n_spans + 1, layers = w->prog->info.n_layers + 1;
    for (int i = 0; i < 2; i++) {
        slx_tm_counts *n = &w->counts[i];
        *n = (slx_tm_counts){.span_fj = n->span_fj, .layer_fj = n->layer_fj};
        memset(n->span_fj, 0, spans * sizeof *n->span_fj);
        memset(n->layer_fj, 0, layers * sizeof *n->layer_fj);
    }
    w->crossing = false;
    slx_tm_walk_reset(w, together);
    slx_status st = SLX_OK;
    for (bool moved = true; moved && st == SLX_OK && !(together && w->crossing);)
        st = slx_tm_walk_round(w, &moved, err);
    slx_tm_tally_end(w);
    for (uint32_t i = 0; i < w->n; i++) slx_tm_settle(w, &w->w[i]);
    return st;
}

/* The same as fast as may be: tiles that go the same way at once. Where bytes from one tile may steer another, and
 * where something is wrong, tile after tile, as the machine's order is. */
static slx_status count_walk(slx_tm_walk *w, const slx_tm_repeat *repeat, slx_err *err)
{
    w->repeat = *repeat;
    slx_status st = count_once(w, true, NULL);
    if (st == SLX_OK && !w->crossing) return SLX_OK;
    w->repeat = *repeat;
    return count_once(w, false, err);
}

/* Layers 1, 2 and n-2 took the same energy: bytes may come from other stacks, farther away, in one than in another. */
static bool energy_repeats(const slx_time_result *out, uint32_t layers)
{
    return out->layer_fj[2] == out->layer_fj[3] && out->layer_fj[3] == out->layer_fj[layers - 1];
}

/* All tiles walked for counts and hashes. Where layers may be left out, w->repeat says so: counts[1] has what layer 2
 * did, which layers 2..n-3 did too. */
static slx_status count_all(slx_tm_walk *w, slx_tm_counts counts[2], bool repeat,
                            slx_time_result *out, slx_err *err)
{
    uint32_t layers = w->prog->info.n_layers;
    slx_tm_repeat probe = {0};
    w->hashing = true;
    w->groups_alike = decodes(w);
    w->counts = counts;
    if (repeat && layers >= SLX_TM_REPEAT_FROM) {
        probe = (slx_tm_repeat){.n = layers, .from = 3, .to = layers - 2, .probing = true};
        w->counted_apart = 3;
    }
    SLX_TRY(count_walk(w, &probe, err));
    w->repeat.probing = false;
    if (w->repeat.n && slx_tm_repeat_holds(w) && energy_repeats(out, layers)) {
        counts_add(&counts[0], &counts[1], layers - 4, out->n_spans);
        for (uint32_t l = 4; l <= layers - 2; l++) out->layer_fj[l] = out->layer_fj[3];
    } else if (w->repeat.n) {
        w->counted_apart = 0;
        SLX_TRY(count_walk(w, &(slx_tm_repeat){0}, err));
    }
    w->counts = NULL;
    w->hashing = false;
    return SLX_OK;
}

static slx_status run_once(slx_tm_sim_args *a, slx_time_result *out, slx_err *err)
{
    slx_tm_walk_reset(a->walk, false);
    slx_tm_mem_reset(a->mem);
    return slx_tm_sim_run(a, out, err);
}

/* Layers 0 and n-1, or 0, 1, n-2 and n-1, the others by what passed between the first BARs of the middle two.
 * Without BARs in layers nothing is left out. */
static slx_status run_repeated(slx_tm_sim_args *a, slx_time_result *out, slx_err *err)
{
    uint32_t layers = a->prog->info.n_layers, from = slx_tm_repeat_ends_alike(a->walk) ? 1 : 2, to = layers - from;
    slx_tm_mark m[2] = {{.layer = from}, {.layer = 1 + to}}; /* of layers from - 1 and to */
    uint64_t *span = slx_xcalloc(2 * (size_t)out->n_spans, sizeof *span);
    m[0].span = span, m[1].span = span + out->n_spans;
    a->mark = m;
    a->walk->repeat.from = from, a->walk->repeat.to = to;
    slx_status st = run_once(a, out, err);
    a->mark = NULL;
    if (st == SLX_OK && m[1].met) {
        slx_tm_fold_extend(out, m, to - from);
    } else if (st == SLX_OK) {
        a->walk->repeat.n = 0;
        memset(out->engine, 0, sizeof out->engine);
        memset(out->bound, 0, sizeof out->bound);
        st = run_once(a, out, err);
    }
    free(span);
    return st;
}

static slx_status simulate(slx_tm_walk *w, slx_tm_mem *m, slx_tm_tiles *c, const slx_time_options *opt,
                           slx_time_result *out, slx_tm_counts *counts, slx_err *err)
{
    bool tiles = slx_tm_fold_tiles(w->prog, opt);
    if (tiles || (opt->folded && !opt->event)) {
        SLX_TRY(count_all(w, counts, !opt->event, out, err));
        w->apart = !w->crossing;
        out->n_classes = slx_tm_tiles_classes(c, w);
    } else {
        w->counts = counts;
    }
    if (tiles) slx_tm_tiles_fold(c, w, m);
    out->tiles_simulated = c->n;
    m->folded = c->n < w->n; /* some tile stands for others */
    w->keep = true;
    slx_tm_sim_args a = {.prog = w->prog,
                         .chip = w->chip,
                         .walk = w,
                         .mem = m,
                         .tiles = c->tiles,
                         .copies = c->copies,
                         .last = c->last,
                         .far = c->far,
                         .n = c->n,
                         .opt = opt};
    slx_status st = w->repeat.n ? run_repeated(&a, out, err) : run_once(&a, out, err);
    if (w->counts) slx_tm_tally_end(w);
    return st;
}

/* Nothing can be shorter: all bytes at the pins' rate, all products at the full rate of their
 * formats, all bytes to other chips at the rate of the ports. */
static void roofline(const slx_chip *c, const slx_tm_net *net, const slx_tm_counts *n,
                     slx_time_result *out)
{
    double bytes_clk = c->hbm.stacks * (c->hbm.bits * c->hbm.gbps_pin / 8) / c->grid.clock_ghz;
    out->roofline_hbm = (uint64_t)ceil((double)(n->hbm_read + n->hbm_write) / bytes_clk);
    out->roofline_ten = (uint64_t)ceil(n->ten_clk / out->n_tiles);
    out->roofline_net = (uint64_t)ceil((double)n->net_wire * net->byte_ticks / SLX_TM_TICKS);
    out->roofline_cycles = out->roofline_hbm;
    if (out->roofline_ten > out->roofline_cycles) out->roofline_cycles = out->roofline_ten;
    if (out->roofline_net > out->roofline_cycles) out->roofline_cycles = out->roofline_net;
}

static void collect(const slx_tm_walk *w, const slx_tm_counts *n, const slx_time_watts *watts,
                    slx_time_result *out)
{
    const slx_chip *c = w->chip;
    out->seconds = (double)out->cycles / (c->grid.clock_ghz * 1e9);
    out->macs = n->macs;
    out->hbm_read_bytes = n->hbm_read, out->hbm_write_bytes = n->hbm_write;
    out->spm_read_bytes = n->spm_read, out->spm_write_bytes = n->spm_write;
    out->net_bytes = n->net, out->net_wire_bytes = n->net_wire;
    memcpy(out->region_read_bytes, n->region_read, sizeof n->region_read);
    memcpy(out->wire_fj, n->wire_fj, sizeof n->wire_fj);
    for (int e = 0; e < SLX_N_ENGINES; e++) {
        out->engine[e].insns = n->insns[e];
        out->engine[e].energy_fj = n->engine_fj[e];
    }
    for (uint32_t s = 0; s < out->n_spans; s++) out->spans[s].energy_fj = n->span_fj[s];
    for (uint32_t pc = w->layers_from; pc < w->layers_to; pc++) out->spans[w->span_of[pc]].in_layers = true;
    slx_tm_by_time(out, watts);
    roofline(c, &w->net, n, out);
}

slx_status slx_tm_step(const slx_program *p, const slx_chip *c, const uint8_t *desc,
                       const slx_time_options *opt, slx_time_result *out, slx_err *err)
{
    memset(out, 0, sizeof *out);
    SLX_TRY(check(p, c, desc, err));
    slx_tm_mem mem;
    SLX_TRY(slx_tm_mem_init(&mem, c, p->info.n_tiles, err));
    uint8_t *copy = whole_descriptor(p, desc);
    slx_tm_walk walk;
    slx_tm_tiles tiles;
    slx_tm_counts counts[2] = {0};
    slx_tm_walk_init(&walk, p, c, copy, opt->rank, &mem);
    slx_tm_tiles_init(&tiles, &mem);
    out->n_chips = slx_program_chips(&p->info);
    out->n_tiles = out->n_classes = out->tiles_simulated = p->info.n_tiles;
    out->layers_simulated = p->info.n_layers;
    out->n_spans = p->n_spans + 1;
    out->spans = slx_xcalloc(out->n_spans, sizeof *out->spans);
    for (uint32_t s = 0; s < p->n_spans; s++)
        memcpy(out->spans[s].name, p->spans[s].name, sizeof out->spans[s].name);
    out->n_layers = p->info.n_layers + 1;
    out->layer_fj = slx_xcalloc(2 * (size_t)out->n_layers, sizeof *out->layer_fj);
    out->layer_static_fj = out->layer_fj + out->n_layers;
    uint64_t *span_fj = slx_xcalloc(2 * (size_t)out->n_spans, sizeof *span_fj);
    for (int i = 0; i < 2; i++)
        counts[i].span_fj = span_fj + i * (size_t)out->n_spans, counts[i].layer_fj = out->layer_fj;
    slx_status st = simulate(&walk, &mem, &tiles, opt, out, counts, err);
    if (st == SLX_OK) collect(&walk, counts, opt->watts, out);
    free(span_fj);
    slx_tm_tiles_deinit(&tiles);
    slx_tm_walk_deinit(&walk);
    slx_tm_mem_deinit(&mem);
    free(copy);
    if (st != SLX_OK) slx_time_result_free(out);
    return st;
}
