/* cli_silicon.c - see cli_silicon.h.
 *
 * A cell is mid and, where they differ from it, low and high: "748 (637-887)". A published figure stands beside the
 * computed one with the error of the latter.
 */
#include "cli/cli_silicon.h"

#include <math.h>
#include <string.h>

#include "cli/cli.h"

slx_status cli_silicon_get(cli_silicon *out, const slx_chip *c, const slx_constants *k,
                           slx_err *err)
{
    SLX_TRY(slx_chip_get_area(&out->area, c, k, err));
    SLX_TRY(slx_chip_get_power(&out->power, c, &out->area, k, err));
    SLX_TRY(slx_chip_get_cost(&out->cost, c, &out->area, &out->power, k, err));
    return slx_chip_get_pass(&out->pass, c, k, err);
}

slx_status cli_silicon_load(cli_silicon *out, const slx_chip *c, slx_err *err)
{
    slx_constants *k;
    SLX_TRY(slx_constants_load(&k, err));
    slx_status st = cli_silicon_get(out, c, k, err);
    slx_constants_free(k);
    return st;
}

/* ------------------------------------------------------------------ text */

static void put(cli_table *t, int row, int column, slx_band v)
{
    char low[32], mid[32], high[32];
    if (isnan(v.mid))
        cli_table_set(t, row, column, "not published");
    else if (v.low == v.high)
        cli_table_set(t, row, column, "%s", cli_digits(mid, v.mid));
    else
        cli_table_set(t, row, column, "%s (%s-%s)", cli_digits(mid, v.mid), cli_digits(low, v.low),
                      cli_digits(high, v.high));
}

static void put_at(cli_table *t, const char *label, int column, slx_band v)
{
    put(t, cli_table_row_at(t, label), column, v);
}

static slx_band exact(double v)
{
    return (slx_band){v, v, v};
}

static void put_share(cli_table *t, const char *label, int column, slx_band v)
{
    put_at(t, label, column, (slx_band){100 * v.low, 100 * v.mid, 100 * v.high});
}

/* Rows of a sheet in the order of the first chip that has them, the total on the heading. */
static void put_sheet(cli_table *t, int heading, int column, const slx_sheet *s)
{
    for (int i = 0; i < s->n; i++) {
        char label[64];
        snprintf(label, sizeof label, "  %s", s->row[i].name);
        if (!s->missing) put_at(t, label, column, s->row[i].v);
    }
    char why[128];
    if (s->missing && !cli_published_key(s->missing))
        cli_table_set(t, heading, column, "%s", cli_missing(why, s->missing));
    else if (s->missing)
        cli_table_set(t, heading, column, "not published");
    else
        put(t, heading, column, s->total);
}

/* "814 (computed +9 %)". Nothing where nothing is published. */
static void put_published(cli_table *t, const char *label, int column, double published,
                          double computed)
{
    char text[32];
    if (isnan(published) || !(published > 0)) return;
    int row = cli_table_row_at(t, label);
    if (isnan(computed))
        cli_table_set(t, row, column, "%s", cli_digits(text, published));
    else
        cli_table_set(t, row, column, "%s (computed %+.0f %%)", cli_digits(text, published),
                      100 * (computed / published - 1));
}

static void die_rows(cli_table *t, int i, const slx_chip *c, const slx_die *d, double reticle)
{
    put_at(t, "  die, mm2", i, d->mm2);
    if (d->over_reticle) {
        cli_table_set(t, cli_table_row_at(t, "  reticle"), i, "too large: at most %.0f", reticle);
        return;
    }
    put_at(t, "  dies on a wafer", i, d->gross_dies);
    put_share(t, "  without a defect, %", i, d->perfect);
    if (isnan(d->tiles))
        cli_table_set(t, cli_table_row_at(t, "  spares of a die"), i, "not published");
    else
        cli_table_set(t, cli_table_row_at(t, "  spares of a die"), i, "%.0f of %.0f", d->spares,
                      d->tiles);
    put_share(t, "  good, with spares, %", i, d->yield);
    put_at(t, "  a good die, $", i, d->usd);
    if (c->package.compute_dies > 1)
        cli_table_set(t, cli_table_row_at(t, "  dies of a chip"), i, "%u", c->package.compute_dies);
}

/* The first figure that a total depends on and does not have. */
static const char *missing_of(const cli_silicon *s)
{
    const slx_sheet *all[] = {&s->area.die,     &s->power.decode,  &s->power.prefill,
                              &s->cost.bom_usd, &s->cost.unit_usd, &s->cost.hour_usd};
    for (int i = 0; i < 6; i++)
        if (all[i]->missing) return all[i]->missing;
    return NULL;
}

void cli_silicon_rows(cli_table *t, slx_chip *const *chips, const cli_silicon *s, int n)
{
    int h = cli_table_heading(t, "area of a compute die, mm2");
    for (int i = 0; i < n; i++) put_sheet(t, h, i, &s[i].area.die);
    for (int i = 0; i < n; i++)
        put_published(t, "  published", i, chips[i]->library ? chips[i]->part.die_mm2 : NAN,
                      s[i].area.die.total.mid);
    bool io = false;
    for (int i = 0; i < n; i++) io |= s[i].area.io.n > 0;
    if (io) {
        h = cli_table_heading(t, "area of an I/O die, mm2");
        for (int i = 0; i < n; i++)
            if (s[i].area.io.n) put_sheet(t, h, i, &s[i].area.io);
    }
    h = cli_table_heading(t, "power, decode, W");
    for (int i = 0; i < n; i++) put_sheet(t, h, i, &s[i].power.decode);
    h = cli_table_heading(t, "power, prefill, W");
    for (int i = 0; i < n; i++) put_sheet(t, h, i, &s[i].power.prefill);
    for (int i = 0; i < n; i++)
        put_published(t, "  rated", i, chips[i]->package.tdp_w, s[i].power.tdp_w.mid);
    cli_table_heading(t, "yield");
    for (int i = 0; i < n; i++)
        die_rows(t, i, chips[i], &s[i].cost.die, chips[i]->process.reticle_mm2);
    h = cli_table_heading(t, "bill of materials, $");
    for (int i = 0; i < n; i++) put_sheet(t, h, i, &s[i].cost.bom_usd);
    for (int i = 0; i < n; i++)
        put_published(t, "  published estimate", i,
                      chips[i]->library ? chips[i]->part.bom_usd : NAN,
                      s[i].cost.bom_usd.total.mid);
    h = cli_table_heading(t, "unit cost, $");
    for (int i = 0; i < n; i++) put_sheet(t, h, i, &s[i].cost.unit_usd);
    for (int i = 0; i < n; i++) put_at(t, "  chips that share them", i, s[i].cost.volume);
    for (int i = 0; i < n; i++)
        if (s[i].cost.new_model_usd.mid > 0)
            put_at(t, "  masks for other weights", i, s[i].cost.new_model_usd);
    h = cli_table_heading(t, "an hour of use, $");
    for (int i = 0; i < n; i++) put_sheet(t, h, i, &s[i].cost.hour_usd);
    for (int i = 0; i < n; i++) put_at(t, "  charged for a chip, $", i, s[i].cost.chip_usd);
    for (int i = 0; i < n; i++)
        cli_table_set(t, cli_table_row_at(t, "  which is its"), i, "%s", slx_price_basis_name(s[i].cost.basis));
    cli_table_heading(t, "weights of an 8B model in 4 bits");
    for (int i = 0; i < n; i++) {
        const slx_pass *p = &s[i].pass;
        put_at(t, "  chips that hold them", i, exact(p->chips));
        put_at(t, "  one reading, us", i, exact(p->us));
        put_at(t, "  its energy, mJ", i, p->mj);
        if (isinf(p->rows))
            cli_table_set(t, cli_table_row_at(t, "  tokens that may share it"), i, "any");
        else
            put_at(t, "  tokens that may share it", i, exact(p->rows));
        put_at(t, "  tokens of KV cache beside them", i, exact(p->kv_tokens));
    }
    bool any = false;
    for (int i = 0; i < n; i++) any |= missing_of(&s[i]) != NULL;
    if (!any) return;
    h = cli_table_heading(t, "missing");
    for (int i = 0; i < n; i++)
        if (missing_of(&s[i])) cli_table_set(t, h, i, "%s", missing_of(&s[i]));
}

void cli_silicon_print_warnings(const slx_chip *c, const cli_silicon *s, const char *head)
{
    char text[SLX_CHIP_WARNINGS][200];
    int n = slx_chip_get_warnings(text, c, &s->area, &s->power);
    for (int i = 0; i < n; i++) printf("%s%s\n", head, text[i]);
}

/* ------------------------------------------------------------------ JSON */

json_t *cli_silicon_warnings(const slx_chip *c, const cli_silicon *s)
{
    char text[SLX_CHIP_WARNINGS][200];
    json_t *list = json_array();
    int n = slx_chip_get_warnings(text, c, &s->area, &s->power);
    for (int i = 0; i < n; i++) json_array_append_new(list, json_string(text[i]));
    return list;
}

static json_t *band_json(slx_band v)
{
    json_t *j = json_object();
    json_object_set_new(j, "low", cli_json_number(v.low));
    json_object_set_new(j, "mid", cli_json_number(v.mid));
    json_object_set_new(j, "high", cli_json_number(v.high));
    return j;
}

static void add_band(json_t *j, const char *name, slx_band v, const char *missing)
{
    char why[128];
    if (!isnan(v.mid)) {
        json_object_set_new(j, name, band_json(v));
        return;
    }
    cli_json_absent(j, name, cli_missing(why, missing));
}

static void add_sheet(json_t *j, const char *name, const char *parts, const slx_sheet *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->n && !s->missing; i++) {
        json_t *row = band_json(s->row[i].v);
        json_object_set_new(row, "name", json_string(s->row[i].name));
        json_array_append_new(list, row);
    }
    add_band(j, name, s->total, s->missing);
    json_object_set_new(j, parts, list);
}

static void add_published(json_t *j, const char *name, double v)
{
    if (isnan(v) || !(v > 0))
        cli_json_absent(j, name, "not published");
    else
        json_object_set_new(j, name, cli_json_number(v));
}

void cli_silicon_json(json_t *j, const slx_chip *c, const cli_silicon *s)
{
    const slx_die *d = &s->cost.die;
    json_t *published = json_object();
    add_band(j, "area_mm2", s->area.silicon_mm2, s->area.die.missing);
    add_sheet(j, "die_mm2", "die_blocks", &s->area.die);
    if (s->area.io.n) add_sheet(j, "io_die_mm2", "io_die_blocks", &s->area.io);
    add_band(j, "power_w", s->power.tdp_w, missing_of(s));
    add_sheet(j, "decode_w", "decode_parts", &s->power.decode);
    add_sheet(j, "prefill_w", "prefill_parts", &s->power.prefill);
    const char *no_die = d->over_reticle ? s->cost.bom_usd.missing : s->area.die.missing;
    add_band(j, "dies_per_wafer", d->gross_dies, no_die);
    add_band(j, "yield_perfect", d->perfect, no_die);
    add_band(j, "yield", d->yield, no_die);
    add_band(j, "die_usd", d->usd, no_die);
    json_object_set_new(j, "warnings", cli_silicon_warnings(c, s));
    add_sheet(j, "bom_usd", "bom_parts", &s->cost.bom_usd);
    add_sheet(j, "usd", "usd_parts", &s->cost.unit_usd);
    add_sheet(j, "usd_per_hour", "usd_per_hour_parts", &s->cost.hour_usd);
    add_band(j, "charged_usd", s->cost.chip_usd, s->cost.hour_usd.missing);
    json_object_set_new(j, "charged_usd_basis", json_string(slx_price_basis_name(s->cost.basis)));
    add_band(j, "volume", s->cost.volume, NULL);
    json_t *pass = json_object();
    add_published(pass, "chips", s->pass.chips);
    add_published(pass, "read_us", s->pass.us);
    add_band(pass, "read_mj", s->pass.mj, "package.memory");
    add_published(pass, "kv_tokens", s->pass.kv_tokens);
    if (isinf(s->pass.rows))
        cli_json_absent(pass, "rows", "any number of rows");
    else
        json_object_set_new(pass, "rows", cli_json_number(s->pass.rows));
    json_object_set_new(j, "weights_8b", pass);
    add_published(published, "tdp_w", c->package.tdp_w);
    if (c->library) {
        add_published(published, "die_mm2", c->part.die_mm2);
        add_published(published, "bom_usd", c->part.bom_usd);
        add_published(published, "logic_usd", c->part.logic_usd);
        add_published(published, "price_usd", c->part.price_usd);
    }
    json_object_set_new(j, "published", published);
}
