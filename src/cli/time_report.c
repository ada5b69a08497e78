/* time_report.c - see time_report.h: text first, then JSON of the same numbers. */
#include "cli/time_report.h"

#include <string.h>

#include "cli/cli.h"

/* ------------------------------------------------------------------ text */

static double share(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

/* Matrices by storage type and format; norms and biases are few and fp32. */
void time_weights_count(time_weights *out, const slx_program *p, const slx_model *m)
{
    *out = (time_weights){0};
    for (uint32_t i = 0; i < p->n_weights; i++) {
        const slx_weight *w = &p->weights[i];
        /* a model of shapes alone has one type, and no tensors to find by name */
        const slx_tensor *t = m->shapes_only ? m->layers[0].wq : slx_model_tensor(m, w->tensor);
        if (w->layout == SLX_LAYOUT_VECTOR || !t) continue;
        int at = 0;
        while (at < out->n && (out->row[at].type != t->type || out->row[at].fmt != w->fmt)) at++;
        if (at == TIME_WEIGHTS) continue;
        if (at == out->n) out->row[out->n++] = (struct time_weight){.type = t->type, .fmt = w->fmt};
        out->row[at].values += (uint64_t)w->n * w->k;
        out->row[at].bytes += w->bytes;
    }
}

/* Whether something was left out. */
static bool is_folded(const slx_time_result *r)
{
    return r->tiles_simulated < r->n_tiles || r->layers_simulated + 1 < r->n_layers;
}

/* How far such steps were off where both were run; 0 when nothing was left out. */
static double fold_error(const slx_time_result *r, bool worst)
{
    if (!is_folded(r)) return 0;
    if (r->tiles_simulated < r->n_tiles) return worst ? SLX_TIME_FOLD_TILES_WORST : SLX_TIME_FOLD_TILES_MEAN;
    return worst ? SLX_TIME_FOLD_LAYERS_WORST : SLX_TIME_FOLD_LAYERS_MEAN;
}

static void print_step(const char *what, const slx_chip *c, const slx_time_result *r)
{
    char a[32], b[32], d[32], w[32];
    printf("\n %s: %s cycles of %.4g GHz, %.3g x the roofline (%s); %s MAC, %sB read, %s\n", what,
           cli_commas(a, r->cycles), r->clock_ghz,
           r->roofline_cycles ? (double)r->cycles / (double)r->roofline_cycles : 0,
           r->roofline_cycles == r->roofline_hbm   ? "memory"
           : r->roofline_cycles == r->roofline_ten ? "tensor"
                                                   : "links",
           cli_short(b, (double)r->macs, ""), cli_short(d, (double)r->hbm_read_bytes, ""),
           cli_short(w, r->power_w, "W"));
    if (r->power_limited)
        printf("   power     limited to %.4g W: %.3g GHz at %.3g V, not %.3g at %.3g; %.3g x the "
               "time\n",
               c->package.tdp_w, r->clock_ghz, r->vdd_v, c->grid.clock_ghz, c->process.vdd_v,
               r->seconds / r->unlimited_s);
    if (r->paused > 0)
        printf("   power     that still draws more, at the slowest it has: the clock stands %.3g %% of the time\n",
               100 * r->paused);
    printf("   simulated %u of %u tiles, %u of %u layers", r->tiles_simulated, r->n_tiles, r->layers_simulated,
           r->n_layers - 1);
    if (is_folded(r))
        printf("; the others as these: such steps were off by %.2g %% in the mean, %.2g %% at worst (--full: 0)",
               100 * fold_error(r, false), 100 * fold_error(r, true));
    putchar('\n');
    printf("   time    ");
    for (int i = 0; i < SLX_N_TIME_BOUNDS; i++)
        if (share(r->bound[i], r->cycles) >= 0.05)
            printf("  %s %.1f %%", slx_time_bound_name((slx_time_bound)i),
                   share(r->bound[i], r->cycles));
    printf("\n   reads   ");
    for (int i = 0; i < SLX_N_REGION_KINDS; i++)
        if (r->region_read_bytes[i])
            printf("  %s %s", slx_region_kind_name((slx_region_kind)i),
                   cli_short(a, (double)r->region_read_bytes[i], "B"));
    if (r->net_bytes)
        printf("  other chips %s in %s sent", cli_short(a, (double)r->net_bytes, "B"),
               cli_short(b, (double)r->net_wire_bytes, "B"));
    printf("\n   energy  ");
    for (int i = 0; i < SLX_N_TIME_WIRES; i++)
        if (share(r->wire_fj[i], r->energy_fj) >= 0.05)
            printf("  %s %.1f %%", slx_time_wire_name((slx_time_wire)i),
                   share(r->wire_fj[i], r->energy_fj));
    printf("\n   engines ");
    for (int i = 0; i < SLX_N_ENGINES; i++)
        if (r->engine[i].insns)
            printf("  %s busy %.1f %%, token %.1f %%", slx_engine_names[i],
                   share(r->engine[i].busy, r->cycles * r->n_tiles),
                   share(r->engine[i].token, r->cycles * r->n_tiles));
    printf("\n   phases  ");
    for (uint32_t i = 0; i < r->n_spans; i++) /* a name may stand for several spans */
        if (share(r->spans[i].cycles, r->cycles) >= 1)
            printf("  %s %.1f %%", r->spans[i].name[0] ? r->spans[i].name : "(no span)",
                   share(r->spans[i].cycles, r->cycles));
    putchar('\n');
}

static void print_speed(const time_speed *s)
{
    if (s->full_s > 0)
        printf(" host         %.3g M instructions/s through the queues of every tile (%.3g s of "
               "CPU a step); folded "
               "%.3g ms a step\n",
               (double)s->instructions / s->full_s * 1e-6, s->full_s, s->folded_s * 1e3);
}

static void print_memo(const time_memo *m)
{
    const slx_memo_error *e = &m->error;
    if (!e->tries) return;
    printf(" table        of %u points, %u random steps beside it: time off by %.2g %% (worst %.2g), "
           "energy by %.2g %% (worst %.2g); a look-up %.2g us\n",
           m->points, e->tries, 100 * e->mean, 100 * e->worst, 100 * e->energy_mean,
           100 * e->energy_worst, e->look_up_s * 1e6);
    if (e->mixed)
        printf("              %u of them with a piece of a prompt too: time off by %.2g %% (worst %.2g)\n",
               e->mixed, 100 * e->mixed_mean, 100 * e->mixed_worst);
}

static void print_weights(const time_weights *w, uint32_t chips)
{
    char a[32];
    for (int i = 0; i < w->n; i++)
        printf(" %s %s kept as %s: %s%s, %.3g bits each\n", i ? "            " : "weights     ",
               slx_tensor_type_name(w->row[i].type), slx_fn_name(SLX_FL_FMT, w->row[i].fmt),
               cli_short(a, (double)w->row[i].bytes, "B"), chips > 1 ? " a chip" : "",
               8 * (double)w->row[i].bytes / (double)w->row[i].values);
}

/* The largest parts of a step's time. */
static void print_limits(const slx_time_result *r)
{
    bool told[SLX_N_TIME_BOUNDS] = {false};
    printf(" limited by  ");
    for (int n = 0; n < 3; n++) {
        int most = -1;
        for (int b = 0; b < SLX_N_TIME_BOUNDS; b++)
            if (!told[b] && (most < 0 || r->bound[b] > r->bound[most])) most = b;
        told[most] = true;
        if (n && share(r->bound[most], r->cycles) < 0.5) break;
        printf("%s%s %.0f %%", n ? ", " : " ", slx_time_bound_name((slx_time_bound)most),
               share(r->bound[most], r->cycles));
    }
    printf("%s\n", r->paused > 0       ? "; and by the rated power, which makes the clock stand"
                  : r->power_limited ? "; at the clock that the rated power allows"
                                     : "");
}

static void print_token(const time_report *t, const char *all)
{
    const slx_estimate *e = &t->e;
    char a[32], b[32], d[32], why[128];
    slx_band usd;
    printf(" each token   %s", cli_short(a, e->tpot_s, "s"));
    if (e->tpot_high_s > 0)
        printf(" (low %s, high %s)", cli_short(b, e->tpot_low_s, "s"), cli_short(d, e->tpot_high_s, "s"));
    printf(" at %u tokens of context, batch %u: %s tok/s a user, %s %s\n", e->context, e->batch,
           cli_rate(a, 1 / e->tpot_s), cli_rate(b, e->batch / e->tpot_s), all);
    print_limits(&e->decode);
    printf(" energy       %sJ a token (low %s, high %s)\n", cli_short(a, e->energy_j_per_token, ""),
           cli_short(b, e->energy_low_j, "J"), cli_short(d, e->energy_high_j, "J"));
    if (slx_estimate_usd_per_mtok(&usd, e, t->chip))
        printf(" money        $%.3g per million tokens at this batch (low %.3g, high %.3g)\n", usd.mid, usd.low,
               usd.high);
    else
        printf(" money        not told: %s\n", cli_missing(why, t->silicon.cost.hour_usd.missing));
}

void time_report_print(const time_report *t)
{
    const slx_program *p = t->program;
    const slx_estimate *e = &t->e;
    char a[32], b[32], many[16] = "", all[24] = "the chip";
    if (e->chips > 1) {
        snprintf(many, sizeof many, "%u x ", e->chips);
        snprintf(all, sizeof all, "the %u chips", e->chips);
    }
    printf("%s on %s%s, %u tiles%s\n", p->info.model_name, many, t->chip->name, p->info.n_tiles,
           e->chips > 1 ? " each" : "");
    print_weights(&t->weights, e->chips);
    if (e->prefill_steps)
        printf(" first token  %s after %u tokens in %u step%s, limited by %s; %sJ\n", cli_short(a, e->ttft_s, "s"),
               e->prompt, e->prefill_steps, e->prefill_steps == 1 ? "" : "s",
               slx_time_bound_name(e->prefill.bound_by), cli_short(b, e->prefill_j, ""));
    if (e->tpot_s > 0) print_token(t, all);
    cli_silicon_print_warnings(t->chip, &t->silicon, " warning      ");
    if (e->chips > 1) printf(" Figures of a step are of one chip; the others do the same.\n");
    uint64_t positions = (uint64_t)p->info.desc.max_pages * SLX_MAX_CHUNK;
    if (positions < p->info.max_context)
        printf(" KV pages     for %llu positions, all that the memory has room for; the model's context is %u\n",
               (unsigned long long)positions, p->info.max_context);
    if (e->prefill_steps)
        print_step(e->prefill_steps > 1 ? "last prefill step" : "prefill", t->chip, &e->prefill);
    if (e->tpot_s > 0) print_step("decode", t->chip, &e->decode);
    print_memo(&t->memo);
    print_speed(&t->speed);
}

/* ------------------------------------------------------------------ JSON */

static json_t *count(uint64_t v)
{
    return json_integer((json_int_t)v);
}

/* Sums to energy_fj: what goes by time is of no engine. */
static json_t *by_engine_json(const slx_time_result *r)
{
    json_t *j = json_object();
    for (int i = 0; i < SLX_N_ENGINES; i++)
        if (r->engine[i].energy_fj) json_object_set_new(j, slx_engine_names[i], count(r->engine[i].energy_fj));
    json_object_set_new(j, "by time", count(r->static_fj));
    return j;
}

static json_t *step_json(const slx_time_result *r)
{
    json_t *j = json_object(), *bound = json_object(), *wire = json_object(),
           *engines = json_object(), *spans = json_array(), *layers = json_array();
    json_object_set_new(j, "cycles", count(r->cycles));
    json_object_set_new(j, "seconds", json_real(r->seconds));
    json_object_set_new(j, "clock_ghz", json_real(r->clock_ghz));
    json_object_set_new(j, "vdd_v", json_real(r->vdd_v));
    json_object_set_new(j, "power_w", json_real(r->power_w));
    json_object_set_new(j, "power_limited", json_boolean(r->power_limited));
    json_object_set_new(j, "paused", json_real(r->paused));
    json_object_set_new(j, "bound_by", json_string(slx_time_bound_name(r->bound_by)));
    for (int i = 0; i < SLX_N_TIME_BOUNDS; i++)
        json_object_set_new(bound, slx_time_bound_name((slx_time_bound)i), count(r->bound[i]));
    json_object_set_new(j, "cycles_by_bound", bound);
    json_object_set_new(j, "roofline_cycles", count(r->roofline_cycles));
    json_object_set_new(j, "macs", count(r->macs));
    json_object_set_new(j, "hbm_read_bytes", count(r->hbm_read_bytes));
    json_object_set_new(j, "hbm_write_bytes", count(r->hbm_write_bytes));
    json_t *reads = json_object();
    for (int i = 0; i < SLX_N_REGION_KINDS; i++)
        json_object_set_new(reads, slx_region_kind_name((slx_region_kind)i),
                            count(r->region_read_bytes[i]));
    json_object_set_new(j, "hbm_read_bytes_by_region", reads);
    json_object_set_new(j, "net_bytes", count(r->net_bytes));
    json_object_set_new(j, "net_wire_bytes", count(r->net_wire_bytes));
    json_object_set_new(j, "energy_fj", count(r->energy_fj));
    json_object_set_new(j, "static_fj", count(r->static_fj));
    for (int i = 0; i < SLX_N_TIME_WIRES; i++)
        json_object_set_new(wire, slx_time_wire_name((slx_time_wire)i), count(r->wire_fj[i]));
    json_object_set_new(j, "energy_fj_by_wire", wire);
    for (int i = 0; i < SLX_N_ENGINES; i++) {
        const slx_time_engine *e = &r->engine[i];
        if (e->insns)
            json_object_set_new(engines, slx_engine_names[i],
                                json_pack("{s:I, s:I, s:I, s:I, s:I}", "instructions",
                                          (json_int_t)e->insns, "busy_cycles", (json_int_t)e->busy,
                                          "token_cycles", (json_int_t)e->token, "empty_cycles",
                                          (json_int_t)e->empty, "energy_fj",
                                          (json_int_t)e->energy_fj));
    }
    json_object_set_new(j, "engines", engines);
    json_object_set_new(j, "energy_fj_by_engine", by_engine_json(r));
    for (uint32_t i = 0; i < r->n_spans; i++) {
        const slx_time_span *x = &r->spans[i];
        json_t *s = json_pack("{s:I, s:I, s:I}", "cycles", (json_int_t)x->cycles, "energy_fj",
                              (json_int_t)(x->energy_fj + x->static_fj), "static_fj", (json_int_t)x->static_fj);
        json_object_set_new(s, "name",
                            cli_json_str(r->spans[i].name, strnlen(r->spans[i].name, 32)));
        json_array_append_new(spans, s);
    }
    json_object_set_new(j, "spans", spans);
    for (uint32_t i = 0; i < r->n_layers; i++)
        json_array_append_new(layers, count(r->layer_fj[i] + r->layer_static_fj[i]));
    json_object_set_new(j, "layer_energy_fj", layers);
    json_object_set_new(j, "tiles", count(r->n_tiles));
    json_object_set_new(j, "classes", count(r->n_classes));
    json_object_set_new(j, "tiles_simulated", count(r->tiles_simulated));
    json_object_set_new(j, "layers_simulated", count(r->layers_simulated));
    json_object_set_new(j, "folded", json_boolean(is_folded(r)));
    json_object_set_new(j, "fold_error_mean", json_real(fold_error(r, false)));
    json_object_set_new(j, "fold_error_worst", json_real(fold_error(r, true)));
    return j;
}

static json_t *weights_json(const time_weights *w)
{
    json_t *list = json_array();
    for (int i = 0; i < w->n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:f}", "type", slx_tensor_type_name(w->row[i].type), "format",
                            slx_fn_name(SLX_FL_FMT, w->row[i].fmt), "bytes", (json_int_t)w->row[i].bytes, "bits",
                            8 * (double)w->row[i].bytes / (double)w->row[i].values));
    return list;
}

void time_report_json(const time_report *t)
{
    const slx_program *p = t->program;
    const slx_chip *c = t->chip;
    const slx_estimate *e = &t->e;
    json_t *j = json_object();
    json_object_set_new(j, "model", cli_json_str(p->info.model_name, strlen(p->info.model_name)));
    json_object_set_new(j, "chip", json_string(c->name));
    json_object_set_new(j, "chips", count(e->chips));
    if (t->weights.n)
        json_object_set_new(j, "weights", weights_json(&t->weights));
    else
        cli_json_absent(j, "weights", "a program from a file does not say what its model's types were");
    json_object_set_new(j, "warnings", cli_silicon_warnings(c, &t->silicon));
    if (e->prefill_steps) {
        json_object_set_new(j, "prompt_tokens", count(e->prompt));
        json_object_set_new(j, "prefill_steps", count(e->prefill_steps));
        json_object_set_new(j, "ttft_s", json_real(e->ttft_s));
        json_object_set_new(j, "prefill_energy_j", json_real(e->prefill_j));
        json_object_set_new(j, "prefill", step_json(&e->prefill));
    }
    if (e->tpot_s > 0) {
        json_object_set_new(j, "batch", count(e->batch));
        json_object_set_new(j, "context", count(e->context));
        json_object_set_new(j, "tpot_s", json_real(e->tpot_s));
        if (e->tpot_high_s > 0) {
            json_object_set_new(j, "tpot_low_s", json_real(e->tpot_low_s));
            json_object_set_new(j, "tpot_high_s", json_real(e->tpot_high_s));
        }
        json_object_set_new(j, "energy_j_per_token", json_real(e->energy_j_per_token));
        json_object_set_new(j, "energy_low_j_per_token", json_real(e->energy_low_j));
        json_object_set_new(j, "energy_high_j_per_token", json_real(e->energy_high_j));
        json_object_set_new(j, "bound_by", json_string(slx_time_bound_name(e->decode.bound_by)));
        cli_json_usd(j, e, c);
        json_object_set_new(j, "decode", step_json(&e->decode));
    }
    const time_speed *speed = &t->speed;
    if (speed->full_s > 0)
        json_object_set_new(j, "host",
                            json_pack("{s:I, s:f, s:f, s:f}", "instructions",
                                      (json_int_t)speed->instructions, "instructions_per_s",
                                      (double)speed->instructions / speed->full_s, "cpu_s",
                                      speed->full_s, "folded_cpu_s", speed->folded_s));
    const time_memo *memo = &t->memo;
    const slx_memo_error *m = &memo->error;
    if (m->tries)
        json_object_set_new(j, "memo",
                            json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:f, s:f}", "points",
                                      (json_int_t)memo->points, "steps", (json_int_t)m->tries,
                                      "time_error_mean", m->mean, "time_error_worst", m->worst,
                                      "energy_error_mean", m->energy_mean, "energy_error_worst",
                                      m->energy_worst, "mixed_steps", (json_int_t)m->mixed,
                                      "mixed_time_error_mean", m->mixed_mean,
                                      "mixed_time_error_worst", m->mixed_worst));
    cli_json_print(j);
}
