/* query_told.c - what a question cannot be answered for: figures that are not published, models that do not fit. And
 * what an answer says beside its value: what timed it, under which software, what was taken in place of what was asked.
 *
 * Of a chip that a question describes (chip_spec) nothing is refused for want of a figure: it is inferred, and the band
 * is wider (chip/library.h).
 */
#include <string.h>
#include <strings.h>

#include "validate/query_int.h"

static bool of_file(const slx_question *q)
{
    return q->chip->library && !q->described;
}

static bool not_published(slx_question *q, const char *key)
{
    return slx_cannot(q, "chip %s: %s: not published", q->chip->name, key);
}

bool slx_query_told_products(slx_question *q, const char *dtype)
{
    slx_lib_dtype d = SLX_LIB_BF16;
    if (dtype && !slx_lib_dtype_parse(dtype, &d)) return true; /* refused where it is used */
    const char *key = of_file(q) ? slx_lib_unpublished(q->chip, d) : NULL;
    if (key) return not_published(q, key);
    if (q->chip->library && slx_lib_widens(q->chip, d))
        slx_query_note(q, "%s multiplies no %s: weights alone are stored so, products have 16 bits", q->chip->name,
                       slx_lib_dtype_name(d));
    return true;
}

bool slx_query_told_links(slx_question *q)
{
    return !of_file(q) || q->chip->part.links_gbs > 0 || not_published(q, "part.links_gbs");
}

bool slx_query_told_power(slx_question *q)
{
    return !of_file(q) || q->chip->package.tdp_w > 0 || not_published(q, "package.tdp_w");
}

bool slx_query_told_model(slx_question *q, const slx_shape *model)
{
    const char *only = q->chip->part.only_model;
    if (!of_file(q) || !*only) return true;
    if (strcmp(only, model->name) != 0)
        return slx_cannot(q, "chip %s: holds %s alone: its weights are wired in", q->chip->name, only);
    return slx_cannot(q, "chip %s: rates of its weight memory are not published", q->chip->name);
}

bool slx_query_fits(slx_question *q, const slx_forward *f)
{
    slx_predict_memory m;
    slx_err err;
    double all = q->chip->part.mem_gib * 1073741824.0;
    if (!q->chip->library || !(all > 0)) return true;
    if (slx_predict_fits(q->chip, f, &m, &err)) return slx_cannot(q, "%s", err.msg);
    if (m.weights + m.kv <= all) return true;
    uint32_t tp = f->tp ? f->tp : 1, pp = f->pp ? f->pp : 1;
    return slx_cannot(
        q, "%s: needs %.1f GB of weights and %.1f GB of keys and values on each of %u chips, %s has %.1f GB",
        f->model->name, m.weights / 1e9, m.kv / 1e9, tp * pp, q->chip->name, all / 1e9);
}

/* ------------------------------------------------------------------ beside the value */

void slx_query_note(slx_question *q, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t n = strlen(q->note);
    if (!strstr(q->note, text)) snprintf(q->note + n, sizeof q->note - n, "%s%s", n ? "; " : "", text);
}

void slx_query_ran(slx_question *q, const char *framework, const char *software)
{
    bool named = framework && *framework, both = named && *software;
    q->timed_by = q->chip->library ? "library" : "program";
    snprintf(q->software, sizeof q->software, "%s%s%s", named ? framework : "", both ? ", kernels of " : "", software);
}

/* A row's name without what tells whole batches and requests over time apart. */
static size_t plain_name(const char *row)
{
    const char *end = strstr(row, "-2024");
    if (!end) end = strstr(row, "-traffic");
    return end ? (size_t)(end - row) : strlen(row);
}

void slx_query_served_by(slx_question *q, slx_predictor *p, const char *asked, const char *used)
{
    if (asked && used && *used && strncasecmp(asked, used, plain_name(used)) != 0)
        slx_query_note(q, "framework \"%.40s\" is not known for this load, taken for %.*s", asked,
                       (int)plain_name(used), used);
    slx_query_ran(q, used, slx_predict_software(p, q->chip, SLX_SOFTWARE_SERVING));
}
