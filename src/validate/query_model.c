/* query_model.c - questions about a model: passes and layers. query_serving.c: what is made of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/query_int.h"

/* model_config where it is given, else the name. *own is set when the caller frees the shape. */
const slx_shape *slx_query_shape(slx_question *q, slx_models *models, slx_shape **own)
{
    slx_err err;
    const slx_shape *m = NULL;
    const char *name = NULL;
    const json_t *config = json_object_get(q->o, "model_config");
    *own = NULL;
    if (!slx_field_text(q, q->o, "model", !config, &name)) return NULL;
    slx_status st;
    if (config) {
        char *text = json_dumps(config, JSON_ENCODE_ANY);
        st = text ? slx_shape_parse(own, text, strlen(text), name ? name : "model_config", &err)
                  : slx_fail(&err, SLX_EINPUT, "model_config", 0, 0, "no JSON");
        free(text);
        m = *own;
    } else {
        st = slx_models_find(models, name, &m, &err);
    }
    if (st == SLX_OK) return m;
    slx_cannot(q, "model: %s", err.msg);
    return NULL;
}

/* What ran the kernels that a question is about is not among its fields. It is taken to be what such measurements are
 * made with: whole passes in 16 bits and layers in fp16 under plain frameworks, the operators of a model of one layer
 * one by one, everything else under the serving engines of today. */
static slx_software pass_software(const slx_forward *f)
{
    bool wide = !f->dtype || !strcmp(f->dtype, "bf16") || !strcmp(f->dtype, "fp16");
    if (f->model->n_layers == 1) return SLX_SOFTWARE_ALONE;
    return wide ? SLX_SOFTWARE_PLAIN : SLX_SOFTWARE_SERVING;
}

bool slx_query_told(slx_question *q, slx_band s, double scale, const char *unit)
{
    q->unit = unit;
    q->guess = (slx_guess){s.mid * scale, s.low * scale, s.high * scale};
    return q->guess.value > 0 && isfinite(q->guess.high) ? true
                                                         : slx_cannot(q, "no value could be told");
}

static bool step_fields(slx_question *q, slx_forward *f)
{
    static const char *const phases[] = {"prefill", "decode", NULL}, *const logits[] = {
                                                                         "last", "all", NULL};
    int phase = 0, all = 0;
    uint64_t batch = 0, q_len = 0, context = 0, tp = 1, pp = 1;
    if (!slx_field_choice(q, q->o, "phase", true, phases, &phase) ||
        !slx_field_choice(q, q->o, "logits", false, logits, &all) ||
        !slx_field_count(q, q->o, "batch", 1, true, &batch) ||
        !slx_field_count(q, q->o, "q_len", 1, false, &q_len) ||
        !slx_field_count(q, q->o, "context", 1, phase == 1, &context) ||
        !slx_field_count(q, q->o, "n_chips", 1, false, &tp) ||
        !slx_field_count(q, q->o, "tp", 1, false, &tp) ||
        !slx_field_count(q, q->o, "pp", 1, false, &pp) ||
        !slx_field_text(q, q->o, "dtype", false, &f->dtype) ||
        !slx_field_text(q, q->o, "kv_dtype", false, &f->kv_dtype) ||
        !slx_field_real(q, q->o, "power_cap_w", false, &f->power_cap_w))
        return false;
    if (!context) context = q_len;
    if (!context) return slx_malformed(q, "field q_len: missing, expected an integer >= 1");
    if (q_len > context)
        return slx_malformed(q, "field context: found %llu, expected at least q_len = %llu",
                             (unsigned long long)context, (unsigned long long)q_len);
    if (fmax(fmax((double)batch, (double)context), fmax((double)tp, (double)pp)) > 1e9)
        return slx_cannot(q, "batch, context, tp or pp over 1e9");
    f->decode = phase == 1;
    f->all_logits = all == 1;
    f->batch = (uint32_t)batch;
    f->q_len = (uint32_t)q_len;
    f->context = (uint32_t)context;
    f->tp = (uint32_t)tp;
    f->pp = (uint32_t)pp;
    return true;
}

static bool answer_step(slx_question *q, slx_predictor *p, slx_models *models)
{
    slx_forward f = {0};
    slx_forward_cost cost;
    slx_shape *own;
    slx_err err;
    if (!step_fields(q, &f)) return false;
    f.model = slx_query_shape(q, models, &own);
    if (!f.model) return false;
    f.software = pass_software(&f);
    slx_status st = slx_predict_pass(p, q->chip, &f, &cost, &err);
    slx_shape_free(own);
    if (st) return slx_cannot(q, "%s", err.msg);
    return slx_query_told(q, cost.seconds, 1e3, "ms");
}

static bool answer_layer(slx_question *q, slx_predictor *p, slx_models *models)
{
    slx_layer_ask a = {0};
    slx_band s;
    slx_shape *own;
    slx_err err;
    uint64_t tokens = 0, tp = 1;
    if (!slx_field_text(q, q->o, "op", true, &a.op) ||
        !slx_field_count(q, q->o, "tokens", 1, true, &tokens) ||
        !slx_field_count(q, q->o, "tp", 1, false, &tp) ||
        !slx_field_text(q, q->o, "dtype", false, &a.dtype))
        return false;
    if (tokens > 1u << 28 || tp > 1024) return slx_cannot(q, "tokens over 2^28 or tp over 1024");
    a.tokens = (uint32_t)tokens, a.tp = (uint32_t)tp;
    a.software = a.dtype && !strcmp(a.dtype, "fp16") ? SLX_SOFTWARE_PLAIN : SLX_SOFTWARE_EAGER;
    a.model = slx_query_shape(q, models, &own);
    if (!a.model) return false;
    slx_status st = slx_predict_layer(p, q->chip, &a, &s, &err);
    slx_shape_free(own);
    if (st) return slx_cannot(q, "%s", err.msg);
    return slx_query_told(q, s, 1e3, "ms");
}

bool slx_query_model(slx_question *q, slx_predictor *p, slx_models *models, const char *kind)
{
    if (!strcmp(kind, "step")) return answer_step(q, p, models);
    if (!strcmp(kind, "layer")) return answer_layer(q, p, models);
    if (!strcmp(kind, "serving")) return slx_query_serving(q, p, models);
    return slx_cannot(q, "kind %s is not answered yet", kind);
}
