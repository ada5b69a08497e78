/* query_model.c - questions about a model: passes and what is made of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/query_int.h"

/* model_config where it is given, else the name. */
static slx_shape *open_shape(slx_question *q)
{
    slx_err err;
    slx_shape *m = NULL;
    const char *name = NULL;
    const json_t *config = json_object_get(q->o, "model_config");
    if (!slx_field_text(q, q->o, "model", !config, &name)) return NULL;
    slx_status st;
    if (config) {
        char *text = json_dumps(config, JSON_ENCODE_ANY);
        st = text ? slx_shape_parse(&m, text, strlen(text), name ? name : "model_config", &err)
                  : slx_fail(&err, SLX_EINPUT, "model_config", 0, 0, "no JSON");
        free(text);
    } else {
        st = strchr(name, '/') ? slx_fail(&err, SLX_EINPUT, name, 0, 0,
                                          "found a path and no model_config, expected a name "
                                          "in data/models")
                               : slx_shape_open(&m, name, &err);
    }
    if (st == SLX_OK) return m;
    slx_cannot(q, "model: %s", err.msg);
    return NULL;
}

static bool step_fields(slx_question *q, slx_forward *f)
{
    static const char *const phases[] = {"prefill", "decode", NULL}, *const logits[] = {
                                                                         "last", "all", NULL};
    int phase = 0, all = 0;
    uint64_t batch = 0, q_len = 0, context = 0, tp = 1;
    if (!slx_field_choice(q, q->o, "phase", true, phases, &phase) ||
        !slx_field_choice(q, q->o, "logits", false, logits, &all) ||
        !slx_field_count(q, q->o, "batch", 1, true, &batch) ||
        !slx_field_count(q, q->o, "q_len", 1, false, &q_len) ||
        !slx_field_count(q, q->o, "context", 1, phase == 1, &context) ||
        !slx_field_count(q, q->o, "n_chips", 1, false, &tp) ||
        !slx_field_count(q, q->o, "tp", 1, false, &tp) ||
        !slx_field_text(q, q->o, "dtype", false, &f->dtype) ||
        !slx_field_text(q, q->o, "kv_dtype", false, &f->kv_dtype) ||
        !slx_field_real(q, q->o, "power_cap_w", false, &f->power_cap_w))
        return false;
    if (!context) context = q_len;
    if (!context) return slx_malformed(q, "field q_len: missing, expected an integer >= 1");
    if (q_len > context)
        return slx_malformed(q, "field context: found %llu, expected at least q_len = %llu",
                             (unsigned long long)context, (unsigned long long)q_len);
    if (fmax((double)batch, fmax((double)context, (double)tp)) > 1e9)
        return slx_cannot(q, "batch, context or tp over 1e9");
    f->decode = phase == 1;
    f->all_logits = all == 1;
    f->batch = (uint32_t)batch;
    f->q_len = (uint32_t)q_len;
    f->context = (uint32_t)context;
    f->tp = (uint32_t)tp;
    return true;
}

static bool answer_step(slx_question *q, slx_predictor *p)
{
    slx_forward f = {0};
    slx_forward_cost cost;
    slx_err err;
    if (!step_fields(q, &f)) return false;
    slx_shape *m = open_shape(q);
    if (!m) return false;
    f.model = m;
    slx_status st = slx_predict_pass(p, q->chip, &f, &cost, &err);
    slx_shape_free(m);
    if (st) return slx_cannot(q, "%s", err.msg);
    q->unit = "ms";
    q->guess = (slx_guess){cost.seconds.mid * 1e3, cost.seconds.low * 1e3, cost.seconds.high * 1e3};
    return q->guess.value > 0 && isfinite(q->guess.high) ? true
                                                         : slx_cannot(q, "no time could be told");
}

bool slx_query_model(slx_question *q, slx_predictor *p, const char *kind)
{
    if (!strcmp(kind, "step")) return answer_step(q, p);
    return slx_cannot(q, "kind %s is not answered yet", kind);
}
