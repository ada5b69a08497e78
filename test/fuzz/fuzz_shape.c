/* fuzz_shape.c - any bytes as a config.json to predict from: refused with a message, or a shape whose passes have a
 * time above nothing or a reason, whatever its sizes. */
#include <math.h>
#include <string.h>

#include "predict/predict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void passes(slx_predictor *p, const slx_chip *c, const slx_shape *s)
{
    static const slx_software software[] = {SLX_SOFTWARE_SERVING, SLX_SOFTWARE_PLAIN,
                                            SLX_SOFTWARE_ALONE};
    for (int i = 0; i < 6; i++) {
        slx_err err = {0};
        slx_forward_cost cost;
        slx_forward f = {.model = s,
                         .decode = i % 2,
                         .batch = 3,
                         .context = 700,
                         .tp = 2,
                         .all_logits = true,
                         .software = software[i / 2]};
        if (slx_predict_pass(p, c, &f, &cost, &err) == SLX_OK)
            SLX_ASSERT(cost.seconds.mid > 0 && isfinite(cost.seconds.mid) && cost.n_parts > 0);
        else
            SLX_ASSERT(*err.msg);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static slx_chip *chip;
    slx_predictor *p;
    slx_shape *s;
    slx_err err = {0};
    if (!chip && slx_chip_load_any(&chip, "a100", &err) != SLX_OK) SLX_BUG("%s", err.msg);
    if (slx_shape_parse(&s, (const char *)data, size, "fuzz", &err) != SLX_OK) {
        SLX_ASSERT(!s && *err.msg);
        return 0;
    }
    SLX_ASSERT(s->d_model && s->n_heads && s->n_kv_heads && s->head_dim);
    SLX_ASSERT(slx_shape_weights(s) >= 0 && slx_shape_kv_values(s) >= 0);
    slx_predictor_open(&p);
    passes(p, chip, s);
    slx_predictor_close(p);
    slx_shape_free(s);
    return 0;
}
