/* query_model.c - questions about a model: passes and layers. query_serving.c: what is made of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* Names for frameworks that launch kernel by kernel. */
static bool names_plain(const char *framework)
{
    static const char *const known[] = {"plain", "eager", "pytorch", "transformers", "huggingface"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(framework, known[i])) return true;
    return false;
}

/* What runs a pass that a question names no framework for: what such passes are measured with, whatever the chip. The
 * operators of a model of one layer one by one; whole passes in 16 bits kernel by kernel; in narrow formats, which
 * those frameworks had not, under the serving engines of today. */
static slx_software pass_software(const slx_forward *f)
{
    slx_lib_dtype d = SLX_LIB_BF16;
    if (f->model->n_layers == 1) return SLX_SOFTWARE_ALONE;
    bool wide = !f->dtype || (slx_lib_dtype_parse(f->dtype, &d) && slx_lib_dtype_format(d) == SLX_LIB_16);
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

static bool step_told(slx_question *q, const slx_forward *f)
{
    bool together = f->tp > 1 || f->pp > 1;
    return slx_query_told_model(q, f->model) && slx_query_told_products(q, f->dtype) &&
           (!together || slx_query_told_links(q)) && slx_query_fits(q, f);
}

/* Under the framework the question names; one that nobody knows is taken for vLLM. */
static slx_status time_step(slx_question *q, slx_predictor *p, const char *framework, slx_forward *f,
                            slx_forward_cost *cost, slx_err *err)
{
    if (!q->chip->library) framework = NULL; /* programs run under none */
    bool named = framework && *framework && !names_plain(framework);
    f->software = named ? SLX_SOFTWARE_SERVING : framework && *framework ? SLX_SOFTWARE_PLAIN : pass_software(f);
    if (!named) {
        slx_query_ran(q, NULL, slx_predict_software(p, q->chip, f->software));
        return slx_predict_pass(p, q->chip, f, cost, err);
    }
    slx_status st = slx_predict_step(p, q->chip, f, framework, cost, err);
    if (st == SLX_EUNSUPPORTED && !slx_predict_knows(framework)) {
        slx_query_note(q, "framework \"%.40s\" is not known, taken for vLLM", framework);
        framework = "vLLM";
        st = slx_predict_step(p, q->chip, f, framework, cost, err);
    }
    slx_query_ran(q, framework, slx_predict_software(p, q->chip, f->software));
    return st;
}

static bool answer_step(slx_question *q, slx_predictor *p, slx_models *models)
{
    slx_forward f = {0};
    slx_forward_cost cost;
    slx_shape *own;
    slx_err err;
    const char *framework = NULL;
    if (!step_fields(q, &f) || !slx_field_text(q, q->o, "framework", false, &framework)) return false;
    f.model = slx_query_shape(q, models, &own);
    if (!f.model) return false;
    bool ok = step_told(q, &f);
    slx_status st = ok ? time_step(q, p, framework, &f, &cost, &err) : SLX_OK;
    slx_shape_free(own);
    if (!ok) return false;
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
    bool ok = slx_query_told_model(q, a.model) && slx_query_told_products(q, a.dtype);
    slx_query_ran(q, NULL, slx_predict_software(p, q->chip, a.software));
    slx_status st = ok ? slx_predict_layer(p, q->chip, &a, &s, &err) : SLX_OK;
    slx_shape_free(own);
    if (!ok) return false;
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
