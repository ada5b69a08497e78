/* compare_json.c - the JSON object of silex compare. A figure that cannot be told is null, with the reason beside it;
 * low and high stand beside every figure that has a band. */
#include "cli/compare.h"
#include "cli/json.h"

#include <math.h>
#include <string.h>

static json_t *text(const char *s)
{
    return cli_json_str(s, strlen(s));
}

/* base_unit, base_low_unit, base_high_unit: "tpot" and "_s". */
static void add_band(json_t *j, const char *base, const char *unit, slx_band v, const char *why)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", base, unit);
    if (isnan(v.mid)) {
        cli_json_absent(j, name, why ? why : "not published");
        return;
    }
    json_object_set_new(j, name, cli_json_number(v.mid));
    snprintf(name, sizeof name, "%s_low%s", base, unit);
    json_object_set_new(j, name, cli_json_number(v.low));
    snprintf(name, sizeof name, "%s_high%s", base, unit);
    json_object_set_new(j, name, cli_json_number(v.high));
}

static void add_point(json_t *j, const compare_point *p)
{
    static const slx_band none = {NAN, NAN, NAN};
    bool known = !p->why;
    if (known || p->batch) {
        json_object_set_new(j, "batch", json_integer(p->batch));
    } else {
        cli_json_absent(j, "batch", p->why);
    }
    if (p->tp)
        json_object_set_new(j, "tp", json_integer(p->tp));
    else
        cli_json_absent(j, "tp", p->why);
    add_band(j, "tpot", "_s", known ? p->pass.seconds : none, p->why);
    add_band(j, "tok_s_user", "", known ? p->tok_s_user : none, p->why);
    add_band(j, "tok_s_chip", "", known ? p->tok_s_chip : none, p->why);
    add_band(j, "energy", "_j_per_token", known ? p->j_per_token : none, known ? p->j_why : p->why);
    add_band(j, "usd_per_mtok", "", known ? p->usd_per_mtok : none, known ? p->usd_why : p->why);
    if (known && !isnan(p->pass.power_w))
        json_object_set_new(j, "power_w", cli_json_number(p->pass.power_w));
    else
        cli_json_absent(j, "power_w", known ? p->j_why : p->why);
    if (known)
        json_object_set_new(j, "bound_by", text(p->pass.bound_by));
    else
        cli_json_absent(j, "bound_by", p->why);
}

static json_t *row_json(const compare_row *r, const compare_ask *ask)
{
    static const slx_band none = {NAN, NAN, NAN};
    json_t *j = json_object(), *parts = json_array(), *targets = json_array();
    json_object_set_new(j, "chip", text(r->chip->name));
    json_object_set_new(j, "file", text(r->chip->path));
    json_object_set_new(j, "timed_by", json_string(r->chip->library ? "library" : "program"));
    json_object_set_new(j, "weights", json_string(r->weights));
    json_object_set_new(j, "kv_cache", json_string(r->kv_cache));
    if (isnan(r->weight_bits))
        cli_json_absent(j, "weight_bits_stored", "as the types in the file");
    else
        json_object_set_new(j, "weight_bits_stored", cli_json_number(r->weight_bits));
    json_t *inferred = json_array();
    for (int i = 0; i < r->n_inferred; i++)
        json_array_append_new(inferred, json_string(r->inferred[i]));
    json_object_set_new(j, "inferred", inferred);
    add_band(j, "ttft", "_s", r->ttft_why ? none : r->prefill.seconds, r->ttft_why);
    add_point(j, &r->point);
    add_band(j, "usd_per_hour", "", r->cost.hour_usd.total, r->usd_why);
    add_band(j, "chip_usd", "", r->cost.chip_usd, r->usd_why);
    json_object_set_new(j, "chip_usd_basis", json_string(slx_price_basis_name(r->cost.basis)));
    for (int i = 0; !r->point.why && i < r->point.pass.n_parts; i++)
        json_array_append_new(parts,
                              json_pack("{s:o, s:o}", "name", text(r->point.pass.part[i].name),
                                        "seconds", cli_json_number(r->point.pass.part[i].seconds)));
    json_object_set_new(j, "tpot_parts", parts);
    for (int t = 0; t < ask->n_targets; t++) {
        json_t *at = json_object();
        json_object_set_new(at, "target_tpot_s", cli_json_number(ask->target_s[t]));
        add_point(at, &r->target[t]);
        json_object_set_new(at, "at_max_batch", json_boolean(compare_capped(&r->target[t], ask, t)));
        json_array_append_new(targets, at);
    }
    json_object_set_new(j, "targets", targets);
    return j;
}

void compare_print_json(const compare_ask *ask, const compare_row *rows, int n)
{
    json_t *j = json_object(), *chips = json_array();
    json_object_set_new(j, "model", text(ask->model->name));
    json_object_set_new(j, "prompt_tokens", json_integer(ask->prompt));
    json_object_set_new(j, "context_tokens", json_integer(ask->context));
    json_object_set_new(j, "weight_bits", json_integer(ask->weight_bits));
    json_object_set_new(j, "kv_bits", json_integer(ask->kv_bits));
    for (int i = 0; i < n; i++) json_array_append_new(chips, row_json(&rows[i], ask));
    json_object_set_new(j, "chips", chips);
    cli_json_print(j);
}
