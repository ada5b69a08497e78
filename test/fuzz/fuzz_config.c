/* fuzz_config.c - any bytes as a config.json: refused with a message that has a place, or a model of shapes that keeps
 * what the reader promises, the same again, and that a small chip compiles or refuses. */
#include <math.h>
#include <string.h>

#include "compile/compile.h"
#include "model/model_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const slx_model *m)
{
    const slx_hparams *hp = &m->hp;
    uint64_t d = hp->d_model, q = (uint64_t)hp->n_heads * hp->head_dim,
             kv = (uint64_t)hp->n_kv_heads * hp->head_dim;
    SLX_ASSERT(hp->n_layers && d && hp->d_ff && hp->n_heads && hp->n_kv_heads && hp->head_dim);
    SLX_ASSERT(hp->vocab && hp->context && hp->n_heads % hp->n_kv_heads == 0 && hp->n_rot % 2 == 0);
    SLX_ASSERT(hp->rms_eps > 0 && isfinite(hp->rope_base) &&
               (m->output == m->tok_embd) == hp->tied);
    SLX_ASSERT(m->output->ne[0] == d && m->output->ne[1] == hp->vocab);
    for (uint32_t i = 0; i < hp->n_layers; i++) {
        const slx_layer_weights *w = &m->layers[i];
        SLX_ASSERT(w->wq->ne[1] == q && w->wk->ne[1] == kv && w->wv->ne[1] == kv);
        SLX_ASSERT(w->wo->ne[0] == q && w->wo->ne[1] == d && w->w_down->ne[0] == hp->d_ff);
        SLX_ASSERT(!w->w_up->data && w->w_up->bytes == w->w_up->row_bytes * w->w_up->ne[1]);
    }
    for (uint32_t i = 0; m->rope_freqs && i < hp->n_rot / 2; i++) {
        float x = slx_le_f32(m->rope_freqs->data + 4 * (size_t)i);
        SLX_ASSERT(x > 0 && isfinite(x));
    }
}

static void compile(const slx_model *m)
{
    slx_chip *c;
    slx_program p;
    slx_err err = {0};
    slx_compile_options o = {.max_rows = 8, .max_context = 256, .max_pages = 4};
    if (slx_chip_load(&c, "silex-one", &err) != SLX_OK) SLX_BUG("%s", err.msg);
    if (slx_compile(&p, m, c, &o, NULL, NULL, &err) == SLX_OK)
        slx_program_free(&p);
    else
        SLX_ASSERT(err.msg[0] && err.file[0]);
    slx_chip_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slx_model *m, *again;
    slx_err err = {0};
    slx_status s = slx_model_parse_config(&m, (const char *)data, size, "fuzz.json", NULL, &err);
    if (s != SLX_OK) {
        SLX_ASSERT(!m && err.code == s && err.msg[0] && !strcmp(err.file, "fuzz.json"));
        return 0;
    }
    check(m);
    compile(m);
    SLX_ASSERT(!slx_model_parse_config(&again, (const char *)data, size, "fuzz.json", NULL, NULL) &&
               again->hash == m->hash && again->file_bytes == m->file_bytes);
    slx_model_close(again);
    slx_model_close(m);
    return 0;
}
